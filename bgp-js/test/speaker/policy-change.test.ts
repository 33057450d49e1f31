/** Import and export policies of sessions, and changes of them without a reset. */
import assert from 'node:assert/strict';
import { peerConfig } from 'bgp-js-testing/index.ts';
import { PolicyError, type PolicyRule, type PolicySet, policyInfos, routeTo } from '../../index.ts';
import { Bench, type HandPeer } from './bench.ts';

const only = (name: string, rules: PolicyRule[], otherwise: 'accept' | 'reject' = 'accept'): PolicySet => ({
  policies: { [name]: { rules, otherwise } },
});
const TOR = '10.0.0.254';
const NODE = '10.0.0.2';

/** A speaker with an eBGP and an iBGP peer; the first has the policies `in` and `out`. */
function pair(set: PolicySet): { bench: Bench; tor: HandPeer; node: HandPeer } {
  const bench = new Bench();
  bench.speaker.setPolicies(set);
  const policies = { importPolicy: 'in', exportPolicy: 'out', requirePolicy: true };
  const tor = bench.peer(TOR, { as: 65001, ...policies }).establish();
  const node = bench.peer(NODE, {}).establish();
  tor.takeMessages();
  node.takeMessages();
  return { bench, tor, node };
}

/** Lets the speaker finish: routes are validated again in slices, also without a visible effect. */
function settle(bench: Bench): void {
  for (let slice = 0; slice < 300; slice++) bench.pump();
}

const OPEN = {
  in: { rules: [], otherwise: 'accept' as const },
  out: { rules: [], otherwise: 'accept' as const },
};

describe('policies of a session', () => {
  it('an import policy changes received routes, and Adj-RIB-In keeps them as received', () => {
    const rule: PolicyRule = {
      name: 'prefer',
      match: { prefixes: ['10.8.0.0/16 le 24'] },
      set: { localPref: 200, communities: { add: ['65001:7'] }, prepend: { times: 2 } },
      action: 'accept',
    };
    const { bench, tor, node } = pair({ policies: { ...OPEN, in: { rules: [rule], otherwise: 'reject' } } });
    tor.announce(['10.8.1.0/24', '10.9.0.0/16']);
    node.takeMessages();
    const advertised = node.routes.get('10.8.1.0/24');
    assert.equal(advertised?.localPref, 200);
    assert.deepEqual(advertised?.communities, [((65001 << 16) >>> 0) + 7]);
    assert.deepEqual(advertised?.asPath, [{ type: 'sequence', ases: [64512, 64512, 65001] }]);
    assert.equal(node.routes.has('10.9.0.0/16'), false);
    assert.match(routeTo(bench.speaker, '10.9.0.0/16')?.paths[0].reason ?? '', /import policy/);
    bench.speaker.setPolicies({ policies: OPEN });
    bench.pump();
    node.takeMessages();
    assert.equal(node.routes.get('10.8.1.0/24')?.localPref, 100);
    assert.equal(node.routes.get('10.8.1.0/24')?.communities, undefined);
    assert.ok(node.routes.has('10.9.0.0/16'));
    tor.withdraw(['10.8.1.0/24', '10.9.0.0/16']);
    node.takeMessages();
    assert.equal(node.routes.size, 0);
  });

  it('a rule may name a list of AS path patterns', () => {
    const rules: PolicyRule[] = [{ name: 'far', match: { asPaths: ['through-7'] }, action: 'reject' }];
    const { tor, node } = pair({
      asPathLists: { 'through-7': ['65001 8', '65001 7'] },
      policies: { ...OPEN, in: { rules, otherwise: 'accept' } },
    });
    tor.announce(['10.7.0.0/16'], { asPath: [{ type: 'sequence', ases: [65001, 7] }] });
    tor.announce(['10.9.0.0/16'], { asPath: [{ type: 'sequence', ases: [65001, 9] }] });
    node.takeMessages();
    assert.deepEqual([...node.routes.keys()], ['10.9.0.0/16']);
  });

  it('prepending fills a sequence up to 255 AS numbers, and starts a new one beyond', () => {
    const rule: PolicyRule = { name: 'far', set: { prepend: { times: 5 } }, action: 'accept' };
    const sequence = (length: number) =>
      ({ type: 'sequence', ases: Array<number>(length).fill(65001) }) as const;
    const ours = { type: 'sequence', ases: Array<number>(5).fill(64512) } as const;
    for (const [length, expected] of [
      [250, [{ type: 'sequence', ases: [...ours.ases, ...sequence(250).ases] }]],
      [251, [ours, sequence(251)]],
    ] as const) {
      const { tor, node } = pair({ policies: { ...OPEN, in: { rules: [rule], otherwise: 'reject' } } });
      tor.announce(['10.8.1.0/24'], { asPath: [sequence(length)] });
      node.takeMessages();
      assert.deepEqual(node.routes.get('10.8.1.0/24')?.asPath, expected);
    }
  });

  it('an export policy selects and changes advertised routes, MED and next hop included', () => {
    const rules: PolicyRule[] = [
      { name: 'lab', match: { communities: { any: ['64512:*'] } }, action: 'reject' },
      { name: 'med', match: { sources: ['ibgp'] }, set: { med: 30, nextHop: 'unchanged' }, action: 'accept' },
    ];
    const { tor, node } = pair({ policies: { ...OPEN, out: { rules, otherwise: 'reject' } } });
    node.announce(['10.1.0.0/24'], { communities: [((64512 << 16) >>> 0) + 5], localPref: 100 });
    node.announce(['10.2.0.0/24'], { localPref: 100 });
    tor.takeMessages();
    assert.deepEqual([...tor.routes.keys()], ['10.2.0.0/24']);
    assert.equal(tor.routes.get('10.2.0.0/24')?.med, 30);
    assert.equal(tor.routes.get('10.2.0.0/24')?.nextHop, NODE);
  });

  it('a policy that adds NO_EXPORT does not stop the export, and no policy overrides a received one', () => {
    const rules: PolicyRule[] = [
      { name: 'mark', set: { communities: { replace: ['no-export'] } }, action: 'accept' },
    ];
    const { tor, node } = pair({ policies: { ...OPEN, out: { rules, otherwise: 'reject' } } });
    node.announce(['10.1.0.0/24'], { localPref: 100 });
    node.announce(['10.2.0.0/24'], { localPref: 100, communities: [0xffffff01] });
    tor.takeMessages();
    assert.deepEqual([...tor.routes.keys()], ['10.1.0.0/24']);
    assert.deepEqual(tor.routes.get('10.1.0.0/24')?.communities, [0xffffff01]);
  });

  it('RFC 8212: no routes are exchanged with an eBGP peer that needs policies and has none', () => {
    const bench = new Bench();
    const tor = bench.peer(TOR, { as: 65001, requirePolicy: true }).establish();
    const node = bench.peer(NODE, { requirePolicy: true }).establish();
    bench.speaker.originate('10.244.1.0/26');
    tor.announce(['10.8.0.0/16']);
    bench.pump();
    tor.takeMessages();
    node.takeMessages();
    assert.equal(tor.routes.size, 0);
    assert.deepEqual([...node.routes.keys()], ['10.244.1.0/26']);
    assert.match(routeTo(bench.speaker, '10.8.0.0/16')?.paths[0].reason ?? '', /RFC 8212/);
  });

  it('a policy that does not exist rejects everything', () => {
    const { tor, node } = pair({});
    tor.announce(['10.8.0.0/16']);
    node.takeMessages();
    assert.equal(node.routes.size, 0);
  });

  it('invalid policies are refused with their positions, and the former ones stay', () => {
    const { bench, tor, node } = pair({ policies: OPEN });
    const bad = only('in', [{ name: 'a', match: { prefixes: ['lists', '10.0.0.1/8'] }, action: 'accept' }]);
    assert.throws(
      () => bench.speaker.setPolicies(bad),
      (error: Error) => {
        assert.ok(error instanceof PolicyError);
        assert.match(
          error.message,
          /^policies\.in\.rules\[0\]\.match\.prefixes\[0\] names the prefix list "lists"/,
        );
        assert.match(error.message, /prefixes\[1\] .*write 10\.0\.0\.0\/8/);
        return true;
      },
    );
    tor.announce(['10.8.0.0/16']);
    node.takeMessages();
    assert.ok(node.routes.has('10.8.0.0/16'));
  });
});

describe('changes on a peer with 100,000 routes', () => {
  const prefixes = Array.from(
    { length: 100_000 },
    (_, i) => `10.${i >> 12}.${(i >> 4) & 255}.${(i & 15) << 4}/28`,
  );

  function loaded(): { bench: Bench; tor: HandPeer; node: HandPeer } {
    const all = pair({ policies: OPEN });
    for (let i = 0; i < prefixes.length; i += 500) all.tor.announce(prefixes.slice(i, i + 500));
    all.node.takeMessages();
    assert.equal(all.node.routes.size, prefixes.length);
    all.tor.takeMessages();
    return all;
  }

  it('of an import policy: no reset, and only the difference is sent', () => {
    const { bench, tor, node } = loaded();
    const lab: PolicyRule = { name: 'no-lab', match: { prefixes: ['10.3.0.0/20 le 28'] }, action: 'reject' };
    const few = prefixes.filter((prefix) => /^10\.3\.([0-9]|1[0-5])\./.test(prefix));
    assert.equal(few.length, 256);
    bench.speaker.setPolicies({ policies: { ...OPEN, in: { rules: [lab], otherwise: 'accept' } } });
    settle(bench);
    assert.deepEqual(node.received().sort(), few.map((prefix) => `-${prefix}`).sort());
    bench.speaker.setPolicies({ policies: OPEN });
    settle(bench);
    assert.deepEqual(node.received().sort(), few.map((prefix) => `+${prefix}`).sort());
    bench.speaker.setPolicies({ policies: OPEN });
    settle(bench);
    assert.deepEqual([...node.received(), ...tor.received()], [], 'equal policies change nothing');
    assert.equal(bench.eventsOf('down').length, 0);
  }).timeout(60_000);

  it('of an export policy: no reset, and only the difference is sent', () => {
    const { bench, tor, node } = loaded();
    const mark: PolicyRule = {
      name: 'mark',
      match: { prefixes: ['10.3.0.0/20 le 28'] },
      set: { med: 9 },
      action: 'accept',
    };
    const few = prefixes.filter((prefix) => /^10\.3\.([0-9]|1[0-5])\./.test(prefix));
    bench.speaker.updatePeer(
      peerConfig({ as: 64512, passive: true, address: NODE, exportPolicy: 'out' }),
      bench.now,
    );
    settle(bench);
    assert.deepEqual(node.received(), [], 'a policy that changes nothing');
    bench.speaker.setPolicies({ policies: { ...OPEN, out: { rules: [mark], otherwise: 'accept' } } });
    settle(bench);
    assert.deepEqual(node.received().sort(), few.map((prefix) => `+${prefix}`).sort());
    assert.equal(node.routes.get(few[0])?.med, 9);
    assert.deepEqual(tor.received(), []);
    assert.equal(bench.eventsOf('down').length, 0);
  }).timeout(60_000);

  it('that keeps the others: a policy that the set does not name stays, and goes with the next set', () => {
    const reject = { policies: { in: { rules: [], otherwise: 'reject' as const } } };
    const { bench, tor } = pair({ policies: OPEN });
    tor.announce(['10.1.0.0/16']);
    const usable = () => routeTo(bench.speaker, '10.1.0.0/16')?.paths[0].status;
    const names = () => policyInfos(bench.speaker).map(({ name }) => name);
    bench.speaker.setPolicies({ policies: { other: { rules: [], otherwise: 'accept' } } }, true);
    settle(bench);
    assert.deepEqual([usable(), names().sort()], ['best', ['in', 'other', 'out']]);
    bench.speaker.setPolicies(reject, true);
    settle(bench);
    assert.equal(usable(), 'unusable', 'a policy that the set names is replaced');
    bench.speaker.setPolicies(reject);
    settle(bench);
    assert.deepEqual(names(), ['in']);
  });

  it('of the maximum of prefixes: no reset while it is kept, and nothing is sent', () => {
    const { bench, tor, node } = loaded();
    const policies = { importPolicy: 'in', exportPolicy: 'out', requirePolicy: true };
    const config = peerConfig({
      as: 65001,
      passive: true,
      address: TOR,
      ...policies,
      maximumPrefixes: 100_000,
    });
    bench.speaker.updatePeer(config, bench.now);
    settle(bench);
    assert.deepEqual([...tor.received(), ...node.received()], []);
    assert.equal(bench.eventsOf('down').length, 0);
  }).timeout(60_000);
});
