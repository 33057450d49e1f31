/** A client that stops reading under churn: its cost for the reflector and for the other clients. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Benchmark } from './benchmark.ts';
import { Load } from './load.ts';
import { type BenchResult, bounded, correct, limited, percentile, type Row, reported } from './result.ts';
import { type RunningReflector, withReflector } from './running-reflector.ts';

/** The memory that the slow client may cost, in MB, however much it has not read. */
const MEMORY_LIMIT = 8;
/** How much slower the others may get; smaller differences are noise. */
const LATENCY_BOUND = 1.25;
const TAIL_BOUND = 1.5;
/** Clients do not receive their own changes, so their counts differ a little anyway; this share of all changes is more. */
const HELD_BACK = 0.05;
/** The client that stops. */
const SLOW = 0;

interface Phase {
  latencies: number[];
  /** The most resident memory, in MB. */
  peak: number;
}

/** Changes routes for `ms` and samples the memory meanwhile. */
async function phase(load: Load, running: RunningReflector, rate: number, ms: number): Promise<Phase> {
  load.takeLatencies();
  let peak = running.memory();
  const watch = setInterval(() => {
    peak = Math.max(peak, running.memory());
  }, 100);
  await load.churn(rate, ms);
  clearInterval(watch);
  // Let what is in flight arrive.
  await sleep(500);
  return { latencies: load.takeLatencies(), peak };
}

/** How many UPDATEs fewer than `other` the client `slow` received. */
export async function heldBack(
  { reflector }: RunningReflector,
  load: Load,
  slow = SLOW,
  other = SLOW + 1,
): Promise<number> {
  const peers = await reflector.peers();
  const sent = (address: string) => peers.find((peer) => peer.address === address)?.messages.updatesSent ?? 0;
  return sent(load.neighbours[other].address) - sent(load.neighbours[slow].address);
}

async function measure(running: RunningReflector, seconds: number, rate: number): Promise<Row[]> {
  const { target, network } = running;
  const load = new Load({ target, network, clients: 50, routes: 100, pathLength: 200 });
  try {
    await load.establish();
    const wrongAtFirst = await load.settle();
    load.watch(SLOW + 1);
    const ms = seconds * 1000;
    await phase(load, running, rate, ms / 4);
    const before = await phase(load, running, rate, ms / 2);
    load.neighbours[SLOW].pause();
    const during = await phase(load, running, rate, ms);
    const fewer = await heldBack(running, load);
    load.neighbours[SLOW].resume();
    const wrong = await load.settle();
    const losses = load.neighbours.reduce((sum, neighbour) => sum + neighbour.losses, 0);
    const [p50, p99] = [0.5, 0.99].map((share) => ({
      before: percentile(before.latencies, share),
      during: percentile(during.latencies, share),
    }));
    return [
      limited(
        'memory while one client does not read, above that before, MB',
        during.peak - before.peak,
        MEMORY_LIMIT,
      ),
      bounded('latency of the others p50, ms, to that before', p50.during, p50.before, LATENCY_BOUND),
      bounded('latency of the others p99, ms, to that before', p99.during, p99.before, TAIL_BOUND),
      reported('UPDATEs held back from the client that does not read', fewer),
      correct('runs in which it was hardly held back', fewer > seconds * rate * HELD_BACK ? 0 : 1),
      correct('sessions lost', losses),
      correct('wrong routes in all tables at first and at the end', wrongAtFirst + wrong),
    ];
  } finally {
    load.close();
  }
}

async function run(values: Record<string, string | boolean | undefined>): Promise<BenchResult> {
  const [seconds, rate] = [Number(values.seconds), Number(values.rate)];
  const rows = await withReflector((running) => measure(running, seconds, rate));
  const about = `50 clients with 100 routes each; ${rate} changes a second in UPDATEs of nearly 1 KB; one client reads nothing for ${seconds} s.`;
  return { rows, notes: [about] };
}

export const slowClient: Benchmark = {
  name: 'slow-client',
  title: 'a client that stops reading under churn',
  options: { seconds: { type: 'string', default: '60' }, rate: { type: 'string', default: '500' } },
  run,
};
