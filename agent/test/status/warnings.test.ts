import assert from 'node:assert/strict';
import type { AgentSettings } from '../../config/settings.ts';
import type { RangeUsage } from '../../ipam/allocator.ts';
import type { AgentParts } from '../../parts.ts';
import { warnings } from '../../status/warnings.ts';
import { net } from '../addresses.ts';

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
});
