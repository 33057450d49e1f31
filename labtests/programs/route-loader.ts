/**
 * `route-loader.ts OPTIONS`, with options in JSON: loads a table into a speaker over TCP, again and again with other
 * attributes and without a pause. A second neighbour receives what the speaker passes on. Prints the number of rounds,
 * and exits when that neighbour has all routes of the last one.
 */
import { RouteSpace } from '../bench/routes.ts';
import { tableBytes, versionIn } from '../bench/tables.ts';
import { TcpNeighbour, type TcpTarget } from '../bench/tcp-neighbour.ts';
import { until } from '../lab/wait.ts';

export interface LoaderOptions {
  target: TcpTarget;
  /** The first half of the neighbours' addresses, and the numbers of the two (tcp-neighbour.ts). */
  network: string;
  loader: number;
  sink: number;
  routes: number;
  /** How long to start rounds, in seconds; at least one runs. */
  seconds: number;
}

const { target, network, loader, sink, routes, seconds } = JSON.parse(process.argv[2]) as LoaderOptions;
const space = new RouteSpace(routes, 24);
const [from, to] = [loader, sink].map((index) => new TcpNeighbour(index, network, target, space));
await to.connect();
await from.connect();

const table = () => to.listener.table;
const start = performance.now();
let round = 0;
do {
  round++;
  from.send(tableBytes(space, [0, routes], { base: round }));
  // The next one is sent while the speaker still works on this one.
  await until('the round to arrive at the sink', () => table()[0] >= round, {
    timeoutMs: 120_000,
    intervalMs: 20,
  });
} while (performance.now() - start < seconds * 1000);
const complete = () => table().every((version, index) => version === versionIn(index, round));
await until('all routes at the sink', complete, { timeoutMs: 120_000, intervalMs: 200 });
if (from.losses + to.losses > 0)
  throw new Error(`a session of the loader went down: ${from.lastLoss} ${to.lastLoss}`);
process.stdout.write(`${round}\n`);
process.exit(0);
