/**
 * PodService alone, in a process that tests can kill. Parameter: its options as JSON (HarnessOptions). It prints `ready`
 * once it serves, and answers each line of standard input (`list`, `ranges`, `setRanges CIDR…`, `refresh`, `blocked`)
 * with a line of JSON. Events go to standard error, one a line. SIGTERM stops it cleanly.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { Journal } from '../../ipam/journal.ts';
import { RouteSync } from '../../kernel/route-sync.ts';
import { describePodEvent, type OnPodEvent } from '../../pods/events.ts';
import { PodService } from '../../pods/service.ts';
import { ip, net } from '../addresses.ts';

/** The options of PodService with addresses as text and the journal's folder in place of the store. */
export interface HarnessOptions {
  stateDir: string;
  cniSocket: string;
  podCIDRs: string[];
  nodeAddress: string;
  mtu: number | null;
  quarantineSeconds: number;
}

const options = JSON.parse(process.argv[2]) as HarnessOptions;
const log = (text: string): boolean => process.stderr.write(`${text}\n`);
const onEvent: OnPodEvent = (event) => {
  const { level, subject, text } = describePodEvent(event);
  log(`${level} ${subject} ${text}`);
};

const loop = monitorEventLoopDelay({ resolution: 1 });
const routes = new RouteSync({ table: 254, onError: (error) => log(error.message) });
const store = await Journal.open({
  folder: options.stateDir,
  report: (level, text) => onEvent({ kind: 'store', level, text }),
});
const service = await PodService.open({
  ...options,
  store,
  podCIDRs: options.podCIDRs.map(net),
  nodeAddress: ip(options.nodeAddress),
  routes,
  onEvent,
  debug: () => {},
});
for (const cidr of options.podCIDRs) routes.set(net(cidr), 1_000_000, { type: 'blackhole', nextHops: [] });
await routes.start();
routes.releaseStale();
await routes.settled();
await service.listen();

const COMMANDS: Record<string, (words: string[]) => unknown> = {
  list: () => service.list(),
  ranges: () => service.ranges(),
  find: ([address]) => service.find(ip(address)) ?? null,
  setRanges: (cidrs) => service.setRanges(cidrs.map(net)) ?? null,
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
