/**
 * PodService alone, as a process of its own that tests can kill. Parameter: its options as JSON. It says `ready` on
 * standard output once it serves, and answers each line of standard input (`list`, `ranges`, `setRanges CIDR…`,
 * `refresh`, `blocked`) with a line of JSON. SIGTERM stops it cleanly.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { RouteSync } from '../../kernel/route-sync.ts';
import { PodService, type PodServiceOptions } from '../../pods/service.ts';
import { net } from '../addresses.ts';

const options = JSON.parse(process.argv[2]) as Omit<PodServiceOptions, 'routes' | 'logger'>;
const log = (text: string, fields?: object): boolean =>
  process.stderr.write(`${text} ${JSON.stringify(fields ?? {})}\n`);
const logger = { debug: () => {}, info: log, warn: log, error: log };

const loop = monitorEventLoopDelay({ resolution: 1 });
const routes = new RouteSync({ table: 254, onError: (error) => log(error.message) });
const service = await PodService.open({ ...options, routes, logger });
for (const cidr of options.podCIDRs) routes.set(net(cidr), 1_000_000, { type: 'blackhole', nextHops: [] });
await routes.start();
routes.releaseStale();
await routes.settled();
await service.listen();

const COMMANDS: Record<string, (words: string[]) => unknown> = {
  list: () => service.list(),
  ranges: () => service.ranges(),
  find: ([address]) => service.find(address) ?? null,
  setRanges: (cidrs) => service.setRanges(cidrs) ?? null,
  refresh: () => service.refresh().then(() => service.list()),
  measure: () => loop.enable(),
  blocked: () => ({ maxMs: loop.max / 1e6, p99Ms: loop.percentile(99) / 1e6 }),
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const [name, ...words] = line.split(' ');
  try {
    console.log(JSON.stringify({ ok: (await COMMANDS[name](words)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: (error as Error).message }));
  }
});

process.on('SIGTERM', async () => {
  await service.close();
  await routes.close();
  process.exit(0);
});
console.log('ready');
