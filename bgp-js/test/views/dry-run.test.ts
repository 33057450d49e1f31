/** Dry runs: what a change would do, without doing it. */
import assert from 'node:assert/strict';
import { peerConfig } from 'bgp-js-testing/index.ts';
import { type DryRunPeer, dryRun, type PeerConfig, type PolicySet, routeTo } from '../../index.ts';
import { CapabilityCode, KEEPALIVE } from '../../wire/index.ts';
import { Bench, HandPeer, OUR_AS } from '../speaker/bench.ts';
import { hex } from '../wire/bytes.ts';

const NONE = { added: 0, withdrawn: 0, changed: 0 };
const ONE = '10.0.0.2';
const TWO = '10.0.0.3';

/** Two external peers; the first advertises three routes, which go to the second. */
function scene() {
  const bench = new Bench();
  const policies: PolicySet = { policies: { in: { rules: [], otherwise: 'accept' } } };
  bench.speaker.setPolicies(policies);
  const one = bench.peer(ONE, { as: 65001, importPolicy: 'in' }).establish();
  const two = bench.peer(TWO, { as: 65002 }).establish();
  one.announce(['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16']);
  for (const peer of [one, two]) peer.takeMessages();
  const configs = [...bench.speaker.peers].map(({ config }) => config);
  const run = (policySet: PolicySet, peers: readonly PeerConfig[]): Map<string, DryRunPeer> => {
    for (const peer of [one, two]) peer.takeMessages();
    const pieces = dryRun(bench.speaker, policySet, peers);
    let step = pieces.next();
    while (!step.done) step = pieces.next();
    assert.deepEqual([one.received(), two.received()], [[], []], 'nothing is sent');
    assert.equal(routeTo(bench.speaker, '10.1.0.0/16')?.paths[0].status, 'best', 'nothing is changed');
    return new Map(step.value.map((peer) => [peer.peer, peer]));
  };
  return { bench, configs, policies, run };
}

describe('a dry run', () => {
  it('of the present configuration finds no change', () => {
    const { configs, policies, run } = scene();
    for (const peer of run(policies, configs).values()) {
      assert.deepEqual([peer.session, peer.received, peer.advertised], ['stays', NONE, NONE], peer.peer);
    }
  });

  it('of an import policy counts routes received from one peer and advertised to the other', () => {
    const { configs, run } = scene();
    const rules = [
      { name: 'gone', match: { prefixes: ['10.1.0.0/16'] }, action: 'reject' as const },
      { name: 'med', match: { prefixes: ['10.2.0.0/16'] }, set: { localPref: 7 }, action: 'accept' as const },
    ];
    const result = run({ policies: { in: { rules, otherwise: 'accept' } } }, configs);
    assert.deepEqual(result.get(ONE)?.received, { added: 0, withdrawn: 1, changed: 1 });
    assert.deepEqual(result.get(ONE)?.advertised, NONE, 'a route is not advertised to its source');
    assert.equal(result.get(TWO)?.advertised?.withdrawn, 1);
  });

  it('finds which sessions are reset, added and removed', () => {
    const { configs, policies, run } = scene();
    const added = peerConfig({ as: OUR_AS, address: '10.0.0.9', name: 'new' });
    const result = run(policies, [{ ...configs[0], client: true }, added]);
    const about = (name: string) => {
      const { session, because } = result.get(name)!;
      return [session, because];
    };
    assert.deepEqual(about(ONE), ['reset', ['client']]);
    assert.deepEqual(about(TWO), ['removed', []]);
    assert.deepEqual(about('new'), ['added', []]);
    assert.equal(result.get(TWO)?.received, null);
  });

  it('compares our own routes, and those of a peer that restarts, as they are', () => {
    const { bench, configs, policies, run } = scene();
    bench.speaker.originate('10.244.1.0/26');
    const address = '10.0.0.5';
    bench.speaker.addPeer(peerConfig({ as: OUR_AS, address, passive: true, restartTime: 60 }), bench.now);
    const restarting = new HandPeer(bench, address, OUR_AS);
    assert.ok(restarting.connect());
    const capabilities = [
      { code: CapabilityCode.multiprotocol, value: hex('0001 00 01') },
      { code: CapabilityCode.gracefulRestart, value: hex('003c 0001 01 80') },
      { code: CapabilityCode.fourOctetAs, value: hex('0000fc00') },
    ];
    restarting.send(restarting.open({ capabilities }), KEEPALIVE);
    restarting.announce(['10.7.0.0/16']);
    bench.speaker.disconnected(restarting.id, 'connection reset', bench.now);
    bench.pump();
    assert.equal(routeTo(bench.speaker, '10.7.0.0/16')?.paths[0].stale, true);
    const all = [...configs, peerConfig({ as: OUR_AS, address, restartTime: 60 })];
    const result = run(policies, all);
    assert.deepEqual(result.get(TWO)?.advertised, NONE);
    assert.equal(result.get(address)?.received, null, 'it has no session');
    const only = run(policies, [{ ...configs[1], export: 'own' }]);
    assert.deepEqual(only.get(TWO)?.advertised, { ...NONE, withdrawn: 4 }, 'our own route stays');
  });
});
