import assert from 'node:assert/strict';
import { until } from '../lab/wait.ts';
import { reflected } from '../topologies/reflected.ts';
import { useLab } from './support/lab.ts';

const CLIENTS = ['n1', 'b2', 'b3', 'b4'];
const RANGES = [1, 2, 3, 4].map((n) => `10.244.${n}.0/26`);

for (const reflectors of [1, 2] as const) {
  describe(`a reflector that is killed and started again (RFC 4724), ${reflectors === 1 ? 'the only one' : 'one of two'}`, () => {
    const lab = useLab(reflected(reflectors));

    /** Ranges of other clients to which a client's kernel has routes. */
    async function reached(client: string): Promise<string[]> {
      const table = await lab().must(client, ['ip', '-4', 'route', 'show']);
      return RANGES.filter((range) => table.split('\n').some((line) => line.startsWith(`${range} via `)));
    }

    const complete = (client: string) =>
      until(`${client} to reach all`, async () => {
        return (await reached(client)).length === RANGES.length - 1;
      });

    /** How often each session of a client was Established so far. */
    async function established(): Promise<void> {
      await until('the reflector to have all clients', async () => {
        const peers = await lab().reflector('rr1').peers();
        return peers.filter(({ state }) => state === 'Established').length === CLIENTS.length;
      });
    }

    it('costs no client a route', async function () {
      this.timeout(120_000);
      await established();
      for (const client of CLIENTS) await complete(client);
      const monitors = CLIENTS.map((client) =>
        lab().run(client, ['timeout', '22', 'ip', '-4', 'monitor', 'route']),
      );
      await lab().reflector('rr1').daemon.kill();
      lab().reflector('rr1').daemon.start();
      await lab().reflectorReady('rr1');
      await established();
      await until('the reflector to have all routes again', async () => {
        return (await lab().reflector('rr1').status()).routes.prefixes === RANGES.length;
      });
      // The monitors run until the reflector's End-of-RIB, at which clients remove routes that it did not advertise.
      for (const [index, { stdout }] of (await Promise.all(monitors)).entries()) {
        assert.doesNotMatch(stdout, /Deleted 10\.244\./, `${CLIENTS[index]} lost a route`);
      }
      for (const client of CLIENTS) assert.equal((await reached(client)).length, RANGES.length - 1, client);
    });

    it('removes its routes after the restart time, or at a stop', async function () {
      this.timeout(60_000);
      for (const name of lab().reflectors.keys()) await lab().reflector(name).daemon.stop();
      for (const client of CLIENTS) {
        await until(`${client} to have lost all`, async () => (await reached(client)).length === 0);
      }
    });
  });
}
