/** A soak: many clients, constant churn and random losses of sessions. Memory must stay flat and tables right. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Benchmark } from './benchmark.ts';
import { Load } from './load.ts';
import { type BenchResult, correct, limited, percentile, type Row, reported, slope } from './result.ts';
import { type RunningReflector, withReflector } from './running-reflector.ts';

/** The share of the run that does not count, while tables and heap grow to their size. */
const WARM_UP = 0.5;
/** How much memory may grow after that, as a share of it, by the slope of the line through all samples. */
const GROWTH = 0.05;
const SAMPLE_MS = 1000;
/** The number of clients at which latency is measured. */
const WATCHED = 10;
/** A lost client reconnects within this time. */
const AWAY_MS = 3000;

interface SoakOptions {
  minutes: number;
  clients: number;
  routes: number;
  /** Changes a second. */
  rate: number;
  /** Losses of sessions a minute. */
  losses: number;
}

interface Sample {
  minutes: number;
  megabytes: number;
}

/** Breaks connections of random clients, which reconnect, until aborted; returns how often. */
async function breakSessions(load: Load, perMinute: number, signal: AbortSignal): Promise<number> {
  let count = 0;
  const returning = new Set<Promise<void>>();
  while (!signal.aborted) {
    const client = Math.floor(Math.random() * load.neighbours.length);
    if (load.neighbours[client].established) {
      count++;
      load.drop(client);
      const back = sleep(Math.random() * AWAY_MS).then(() => load.reconnect(client));
      returning.add(back);
      // A failure stays in the set and is reported at the end.
      back.then(() => returning.delete(back)).catch(() => {});
    }
    await sleep((Math.random() * 2 * 60_000) / perMinute);
  }
  await Promise.all(returning);
  return count;
}

async function soak(running: RunningReflector, options: SoakOptions): Promise<Row[]> {
  const { minutes, clients, routes, rate, losses } = options;
  const { target, network } = running;
  const load = new Load({ target, network, clients, routes });
  const samples: Sample[] = [];
  const start = performance.now();
  const age = () => (performance.now() - start) / 60_000;
  const sampler = setInterval(() => samples.push({ minutes: age(), megabytes: running.memory() }), SAMPLE_MS);
  const over = new AbortController();
  try {
    await load.establish();
    await load.settle();
    load.watch(0, WATCHED);
    const breaking = breakSessions(load, losses, over.signal);
    await load.churn(rate, minutes * 60_000 - age() * 60_000);
    over.abort();
    const lost = await breaking;
    clearInterval(sampler);
    const wrong = await load.settle();
    return [...memoryRows(samples, minutes), ...otherRows(load, lost, wrong)];
  } finally {
    over.abort();
    clearInterval(sampler);
    load.close();
  }
}

function memoryRows(all: readonly Sample[], minutes: number): Row[] {
  const samples = all.filter((sample) => sample.minutes >= minutes * WARM_UP);
  const perMinute = slope(samples.map((sample) => [sample.minutes, sample.megabytes] as const));
  const mean = samples.reduce((sum, { megabytes }) => sum + megabytes, 0) / samples.length;
  const growth = Math.max(0, perMinute * minutes * (1 - WARM_UP));
  return [
    reported('memory on average, MB', mean),
    reported('memory at most, MB', Math.max(...all.map(({ megabytes }) => megabytes))),
    reported('slope of memory, MB an hour', perMinute * 60),
    limited('growth of memory over the run by its slope, MB', growth, mean * GROWTH),
  ];
}

function otherRows(load: Load, lost: number, wrong: number): Row[] {
  const losses = load.neighbours.reduce((sum, neighbour) => sum + neighbour.losses, 0);
  const latencies = load.takeLatencies();
  return [
    reported('sessions broken by the clients', lost),
    reported('latency of a change p50, ms', percentile(latencies, 0.5)),
    reported('latency of a change p99, ms', percentile(latencies, 0.99)),
    correct('sessions lost that no client broke', losses),
    correct('wrong routes in all tables at the end', wrong),
  ];
}

async function run(values: Record<string, string | boolean | undefined>): Promise<BenchResult> {
  const number = (name: string) => Number(values[name]);
  const options: SoakOptions = {
    minutes: number('minutes'),
    clients: number('clients'),
    routes: number('routes'),
    rate: number('rate'),
    losses: number('losses'),
  };
  const rows = await withReflector((running) => soak(running, options));
  const { minutes, clients, routes, rate, losses } = options;
  const about = `${minutes} minutes: ${clients} clients with ${routes} routes each, ${rate} changes a second, ${losses} sessions broken a minute and brought up again.`;
  return { rows, notes: [about] };
}

export const soakTest: Benchmark = {
  name: 'soak',
  title: 'constant churn and random losses of sessions for many minutes',
  options: {
    minutes: { type: 'string', default: '30' },
    clients: { type: 'string', default: '500' },
    routes: { type: 'string', default: '20' },
    rate: { type: 'string', default: '50' },
    losses: { type: 'string', default: '60' },
  },
  run,
};
