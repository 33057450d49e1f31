import assert from 'node:assert/strict';
import type { PeerBrief } from 'bgp-js';
import type { AgentSettings } from '../../config/settings.ts';
import type { RangeUsage } from '../../ipam/allocator.ts';
import type { AgentParts } from '../../parts.ts';
import { warnings } from '../../status/warnings.ts';
import { ip, net } from '../addresses.ts';

/** The parts of an agent without faults, with these ranges. */
function parts(ranges: RangeUsage[]): AgentParts {
  return {
    host: { now: () => 0 },
    dataplane: { unresolved: () => [] },
    routes: { counts: () => ({ failed: 0, stale: 0 }) },
    pods: { ranges: () => ranges },
  } as unknown as AgentParts;
}

describe('status warnings', () => {
  const settings = { podCIDRs: [net('10.244.1.0/26')] } as AgentSettings;
  const nearlyFull = (used: number): string[] =>
    warnings(settings, parts([{ range: net('10.244.1.0/26'), size: 64, used, resting: 0 }]), []).filter(
      (text) => text.includes('nearly full'),
    );

  it('name a range that is nearly full, and none that is not', () => {
    assert.deepEqual(nearlyFull(57), []);
    assert.deepEqual(nearlyFull(58), [
      'pod range 10.244.1.0/26 is nearly full: 58 of 64 addresses are allocated',
    ]);
  });

  it('say that a node without ranges cannot run pods', () => {
    const empty = warnings({ podCIDRs: [] as AgentSettings['podCIDRs'] } as AgentSettings, parts([]), []);
    assert.ok(empty.some((text) => text.startsWith('podCIDRs is empty')));
    assert.ok(!warnings(settings, parts([]), []).some((text) => text.startsWith('podCIDRs is empty')));
  });

  it('name next hops, kernel routes and peers in trouble', () => {
    const base = parts([]);
    const faulty = {
      ...base,
      host: { now: () => 60_000 },
      dataplane: { unresolved: () => [{ address: ip('10.0.0.9'), reason: 'no route', prefixes: 3 }] },
      routes: { counts: () => ({ failed: 2, stale: 5 }) },
    } as unknown as AgentParts;
    const peer = { policyMissing: [], name: 'tor', lastError: null, since: 0, state: 'Active' };
    const fresh = { ...peer, name: 'tor2', since: 50_000 };
    const up = { ...peer, name: 'tor3', state: 'Established' };
    const texts = warnings(settings, faulty, [peer, fresh, up] as unknown as PeerBrief[]);
    assert.deepEqual(
      texts.filter((text) => !text.includes('rp_filter')),
      [
        'peer tor is down',
        'next hop 10.0.0.9 of 3 prefixes is unreachable: no route',
        'the kernel refuses 2 routes; see the events',
        '5 routes of the previous run stay until the peers have sent their routes',
      ],
    );
    assert.deepEqual(
      warnings(settings, base, []).filter((text) => !text.includes('rp_filter')),
      [],
    );
  });
});
