import assert from 'node:assert/strict';
import { Simulation } from 'bgp-js-testing/index.ts';
import { exportVerdicts, type PeerConfig } from '../../index.ts';

const NO_EXPORT = 0xffffff01;
const NO_ADVERTISE = 0xffffff02;

describe('why a route is not advertised', () => {
  const sim = new Simulation(8);
  const add = (as: number, last: number) => sim.add({ as }, `10.0.0.${last}`);
  const node = sim.add({ as: 64512, clusterId: '10.0.0.1' }, '10.0.0.1');
  const [client, otherClient, plain, edge] = [add(64512, 2), add(64512, 3), add(64512, 4), add(65001, 9)];
  const reflected: Partial<PeerConfig> = { client: true, clientToClient: false };
  sim.peer(node, client, reflected);
  sim.peer(node, otherClient, reflected);
  sim.peer(node, plain);
  sim.peer(node, edge);
  client.speaker.originate('10.2.0.0/16');
  client.speaker.originate('10.21.0.0/16', { communities: [NO_EXPORT] });
  plain.speaker.originate('10.4.0.0/16');
  node.speaker.originate('10.1.0.0/16', { communities: [NO_ADVERTISE] });
  sim.run(20_000);
  const verdict = (prefix: string, to: { address: string }) =>
    exportVerdicts(node.speaker, prefix).find(({ peer }) => peer === to.address);

  const cases: [title: string, prefix: string, to: { address: string }, reason: RegExp][] = [
    ['its own path', '10.2.0.0/16', client, /the best route was learned from it/],
    ['clients that are peers of each other', '10.2.0.0/16', otherClient, /clientToClient: false/],
    ['NO_EXPORT and an eBGP peer', '10.21.0.0/16', edge, /NO_EXPORT.*another AS/],
    ['NO_ADVERTISE of our own', '10.1.0.0/16', plain, /NO_ADVERTISE/],
  ];
  for (const [title, prefix, to, reason] of cases) {
    it(title, () => {
      const { advertised, reason: found } = verdict(prefix, to)!;
      assert.equal(advertised, false);
      assert.match(found, reason);
    });
  }

  it('two non-clients, and split horizon where nothing is reflected', () => {
    const mesh = new Simulation(9);
    const addTo = (last: number, more = {}) => mesh.add({ as: 1, ...more }, `10.0.1.${last}`);
    const [a, reflector, c] = [addTo(1), addTo(2, { clusterId: '10.0.1.2' }), addTo(3)];
    const [d, speaker] = [addTo(4), addTo(5)];
    for (const peer of [a, c]) mesh.peer(reflector, peer);
    for (const peer of [c, d]) mesh.peer(speaker, peer);
    c.speaker.originate('10.3.0.0/16');
    mesh.run(20_000);
    const reasonOf = (at: typeof a, to: typeof a) =>
      exportVerdicts(at.speaker, '10.3.0.0/16').find(({ peer }) => peer === to.address)!.reason;
    assert.match(reasonOf(reflector, a), /from a non-client, and the peer is no client either/);
    assert.match(reasonOf(speaker, d), /iBGP routes are not passed on to other iBGP peers/);
    assert.equal(reasonOf(c, speaker), 'no export policy applies');
  });
});
