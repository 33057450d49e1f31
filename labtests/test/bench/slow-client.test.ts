import assert from 'node:assert/strict';
import { Load } from '../../bench/load.ts';
import { withReflector } from '../../bench/running-reflector.ts';
import { heldBack } from '../../bench/slow-client.ts';
import { until } from '../../lab/wait.ts';

/** Changes between two looks; an UPDATE of one is nearly 1 KB long. */
const CHANGES = 500;
/** Clients get different numbers of UPDATEs anyway, for nobody is told its own; this is far beyond that. */
const HELD_BACK = 1000;
/** What the reflector may grow by while 20 MB of UPDATEs are not read; MB. */
const GROWTH = 12;

describe('a client of a reflector that stops reading', () => {
  it('delays nobody, costs no memory, and is told the newest state when it reads again', async function () {
    this.timeout(120_000);
    await withReflector(async (running) => {
      const { target, network } = running;
      const load = new Load({ target, network, clients: 4, routes: 50, pathLength: 200 });
      const changes = async () => {
        for (let i = 0; i < CHANGES; i++) load.change();
        assert.equal(await load.settle(1), 0, 'the others have everything');
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
        assert.ok(load.wrongRoutes() > 0, 'the silent client has not followed');
        const growth = running.memory() - before;
        assert.ok(growth < GROWTH, `the reflector grew by ${growth.toFixed(1)} MB`);
        load.neighbours[0].resume();
        assert.equal(await load.settle(), 0, 'all are told the newest state');
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
