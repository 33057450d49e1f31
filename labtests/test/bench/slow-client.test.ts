import assert from 'node:assert/strict';
import { Load } from '../../bench/load.ts';
import { withReflector } from '../../bench/running-reflector.ts';
import { heldBack } from '../../bench/slow-client.ts';
import { until } from '../../lab/wait.ts';

/** Changes between two checks; the UPDATE of one is nearly 1 KB long. */
const CHANGES = 500;
/** Clients do not receive their own changes, so their counts differ anyway; this is far more. */
const HELD_BACK = 1000;
/** How much the reflector may grow while 20 MB of UPDATEs are unread; MB. */
const GROWTH = 12;

describe('a client of a reflector that stops reading', () => {
  it('delays no other client, costs no memory, and receives the newest state when it reads again', async function () {
    this.timeout(120_000);
    await withReflector(async (running) => {
      const { target, network } = running;
      const load = new Load({ target, network, clients: 4, routes: 50, pathLength: 200 });
      const changes = async () => {
        for (let i = 0; i < CHANGES; i++) load.change();
        assert.equal(await load.settle(1), 0, 'the others have all routes');
      };
      try {
        await load.establish();
        assert.equal(await load.settle(), 0);
        load.neighbours[0].pause();
        await until('the reflector to hold UPDATEs back', async () => {
          await changes();
          return (await heldBack(running, load)) > HELD_BACK;
        });
        const before = running.memory();
        for (let round = 0; round < 40; round++) await changes();
        assert.ok(load.wrongRoutes() > 0, 'the slow client is behind');
        const growth = running.memory() - before;
        assert.ok(growth < GROWTH, `the reflector grew by ${growth.toFixed(1)} MB`);
        load.neighbours[0].resume();
        assert.equal(await load.settle(), 0, 'all have the newest state');
        assert.deepEqual(
          load.neighbours.map(({ losses }) => losses),
          [0, 0, 0, 0],
        );
      } finally {
        load.close();
      }
    });
  });
});
