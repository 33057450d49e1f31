import assert from 'node:assert/strict';
import { peerStatuses, routeTo } from 'bgp-js/index.ts';
import { Simulation } from '../../index.ts';

describe('two speakers under virtual time', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`converge, lose the link, hold down and come back (seed ${seed})`, () => {
      const sim = new Simulation(seed);
      const a = sim.add({ as: 64512 }, '10.0.0.1');
      const b = sim.add({ as: 64512 }, '10.0.0.2');
      sim.peer(a, b, { holdTime: 9 });
      a.speaker.originate('10.244.1.0/26');
      b.speaker.originate('10.244.2.0/26');
      const converged = () =>
        routeTo(a.speaker, '10.244.2.0/26') !== null && routeTo(b.speaker, '10.244.1.0/26') !== null;
      sim.runUntil(converged, 10_000);
      assert.equal(routeTo(a.speaker, '10.244.2.0/26')?.paths[0].attributes.nextHop, '10.0.0.2');
      assert.equal(peerStatuses(a.speaker, sim.now)[0].state, 'Established');

      sim.cut(a, b);
      const cutAt = sim.now;
      const gone = () =>
        routeTo(a.speaker, '10.244.2.0/26') === null && routeTo(b.speaker, '10.244.1.0/26') === null;
      sim.runUntil(gone, 10_000);
      assert.ok(sim.now - cutAt > 5_000, 'the hold timer has to expire first');
      for (const node of [a, b]) {
        const text = peerStatuses(node.speaker, sim.now)[0].lastError?.text ?? '';
        assert.match(text, /hold timer expired.*we sent NOTIFICATION 4\/0/);
      }
      sim.run(30_000);
      assert.ok(gone(), 'nothing crosses a cut link');

      sim.heal(a, b);
      sim.runUntil(converged, 30_000);
      for (const node of [a, b]) {
        const sessions = [...node.speaker.connections()];
        assert.equal(sessions.length, 1, 'one session is left after a collision');
      }
    });
  }
});
