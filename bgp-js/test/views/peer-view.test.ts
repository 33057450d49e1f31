import assert from 'node:assert/strict';
import { peerConfig, Simulation } from 'bgp-js-testing/index.ts';
import { peerBriefs, peerStatuses, peerStatusesInPieces, Speaker } from '../../index.ts';

describe('views of peers', () => {
  const sim = new Simulation(5);
  const node = sim.add({ as: 65000 }, '10.0.0.1');
  const mate = sim.add({ as: 65000 }, '10.0.0.2');
  sim.peer(node, mate);
  node.speaker.addPeer(
    peerConfig({ address: '10.0.0.9', as: 65001, name: 'tor', requirePolicy: true }),
    sim.now,
  );
  mate.speaker.originate('10.244.2.0/26');
  sim.run(5000);

  it('has the same in brief as in the statuses', () => {
    const briefs = peerBriefs(node.speaker, sim.now);
    const statuses = peerStatuses(node.speaker, sim.now);
    assert.deepEqual(
      briefs.map(({ name, state, since, lastError }) => ({ name, state, since, lastError })),
      statuses.map(({ name, state, since, lastError }) => ({ name, state, since, lastError })),
    );
    assert.deepEqual(
      briefs.map(({ policyMissing }) => policyMissing),
      [[], ['import', 'export']],
    );
  });

  it('count routes by direction, and have none without a session', () => {
    const [up, down] = peerStatuses(node.speaker, sim.now);
    const maximum = 1_000_000;
    const none = { received: 0, accepted: 0, best: 0, sent: 0, dropped: 0, maximum };
    assert.deepEqual(up.prefixes, { ...none, received: 1, accepted: 1, best: 1 });
    assert.deepEqual([down.prefixes, down.attributeOctets], [none, 0]);
    assert.deepEqual([down.routerId, down.holdTime, down.capabilities], [null, null, []]);
    node.speaker.originate('10.244.1.0/26');
    sim.run(1000);
    assert.equal(peerStatuses(node.speaker, sim.now)[0].prefixes.sent, 1);
  });

  it('pauses between pieces, and includes every peer', () => {
    const config = { as: 65000, routerId: '1.1.1.1', address: '10.1.0.254', maximumPaths: 1 };
    const speaker = new Speaker(config, () => 0);
    for (let index = 0; index < 100; index++) {
      speaker.addPeer(peerConfig({ address: `10.1.0.${index + 1}`, as: 65000, passive: true }), 0);
    }
    const work = peerStatusesInPieces(speaker, () => 7);
    let pauses = 0;
    let step = work.next();
    for (; !step.done; step = work.next()) pauses++;
    assert.ok(pauses >= 3, `${pauses} pauses`);
    assert.deepEqual(step.value, peerStatuses(speaker, 7));
  });
});
