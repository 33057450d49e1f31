/** Route reflection (RFC 4456) by configuration: the daemon itself, with light clients on TCP. */
import assert from 'node:assert/strict';
import { Load } from '../bench/load.ts';
import { RouteSpace } from '../bench/routes.ts';
import {
  REFLECTOR_PORT,
  type RunningReflector,
  withReflector,
  withReflectors,
} from '../bench/running-reflector.ts';
import { TcpNeighbour } from '../bench/tcp-neighbour.ts';
import { until } from '../lab/wait.ts';

const ROUTES = 10;

/** A client that announces the routes from `index` * ROUTES on, and reads those of three clients. */
async function client({ network, target }: RunningReflector, index: number): Promise<TcpNeighbour> {
  const space = new RouteSpace(3 * ROUTES, 26);
  const neighbour = new TcpNeighbour(index, network, target, space);
  await neighbour.connect();
  const set = { from: index * ROUTES, to: (index + 1) * ROUTES, version: index + 1 };
  neighbour.send(space.announce({ ...set, nextHop: neighbour.routerId }));
  return neighbour;
}

const has = (neighbour: TcpNeighbour, count: number) =>
  until(`${neighbour.address} to have ${count} routes`, () => neighbour.listener.present === count);

/** Resolves when the reflector has a number of paths. */
const knows = ({ reflector }: RunningReflector, paths: number) =>
  until(`${reflector.name} to know ${paths} paths`, async () => {
    return (await reflector.status()).routes.paths === paths;
  });

describe('a running reflector', () => {
  it('accepts the maximum of clients from a range, and another one when one has left', async function () {
    this.timeout(60_000);
    await withReflector(
      async (running) => {
        const { target, network } = running;
        const load = new Load({ target, network, clients: 3, routes: 5 });
        const [first, second, third] = load.neighbours;
        try {
          await first.connect();
          await second.connect();
          await assert.rejects(third.connect());
          first.drop();
          await until('a place to be free', () => third.connect().then(() => true));
          assert.deepEqual([second.established, third.established], [true, true]);
        } finally {
          load.close();
        }
      },
      { clientKeys: 'maximumPeers: 2' },
    );
  });

  it('reflects between clients or not, and resets no session when a reload changes that', async function () {
    this.timeout(60_000);
    await withReflector(async (running) => {
      const { reflector, settings } = running;
      const clients = [await client(running, 0), await client(running, 1)];
      const reload = (clientToClient: boolean) => {
        reflector.configure({ ...settings, moreConfig: `clientToClient: ${clientToClient}\n` });
        reflector.daemon.signal('SIGHUP');
      };
      try {
        for (const each of clients) await has(each, ROUTES);
        reload(false);
        for (const each of clients) await has(each, 0);
        reload(true);
        for (const each of clients) await has(each, ROUTES);
        assert.deepEqual(
          clients.map(({ losses }) => losses),
          [0, 0],
        );
      } finally {
        for (const each of clients) each.drop();
      }
    });
  });

  for (const oneCluster of [true, false]) {
    const ids = oneCluster ? 'one cluster id' : 'two cluster ids';
    it(`and another one with ${ids} ${oneCluster ? 'keep' : 'pass on'} what a client of the other sent`, async function () {
      this.timeout(60_000);
      const pair = [1, 0].map((other, index) => (addresses: readonly string[]) => ({
        clusterId: oneCluster ? '1.1.1.1' : `1.1.1.${index + 1}`,
        otherClients: [
          `{ address: ${addresses[other]}, as: 65000, client: false, port: ${REFLECTOR_PORT}, source: ${addresses[index]}, connectRetry: 1 }`,
        ],
      }));
      await withReflectors(pair, async ([one, two]) => {
        const clients = [await client(one, 0), await client(two, 1), await client(two, 2)];
        try {
          // Each has its clients' routes, and the other's as paths, usable or not.
          for (const reflector of [one, two]) await knows(reflector, 3 * ROUTES);
          await has(clients[2], oneCluster ? ROUTES : 2 * ROUTES);
          await has(clients[0], oneCluster ? 0 : 2 * ROUTES);
        } finally {
          for (const each of clients) each.drop();
        }
      });
    });
  }
});
