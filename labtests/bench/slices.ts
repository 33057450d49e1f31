/** Slices of the reflector's event loop while a table loads, a thousand clients connect, and views are read. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLoopView } from '@flatroute/common/http/api-documents.ts';
import type { LabReflector } from '../lab/reflector.ts';
import { view } from '../lab/status-client.ts';
import { until } from '../lab/wait.ts';
import type { Benchmark } from './benchmark.ts';
import { Load } from './load.ts';
import { type BenchResult, correct, limited, type Row, reported } from './result.ts';
import { RouteSpace } from './routes.ts';
import { type RunningReflector, withReflector } from './running-reflector.ts';
import { tableBytes, tableTruth } from './tables.ts';
import { TcpNeighbour } from './tcp-neighbour.ts';

/** The limit of a slice, p99.9; ms. */
const LIMIT = 10;
const LOADED_MS = 60_000;

/** Passes a table through and withdraws it; returns the number of wrong routes. */
async function tableThrough({ target, network }: RunningReflector, routes: number): Promise<number> {
  const space = new RouteSpace(routes, 24);
  const [sender, receiver] = [0, 1].map((index) => new TcpNeighbour(index, network, target, space));
  try {
    await Promise.all([sender.connect(), receiver.connect()]);
    const { listener } = receiver;
    const waits = { timeoutMs: LOADED_MS, intervalMs: 20 };
    sender.send(tableBytes(space, [0, routes]));
    await until('the table to be through', () => listener.present === routes, waits);
    const wrong = listener.differences(tableTruth(routes));
    sender.send(space.withdraw(0, routes));
    await until('the table to be withdrawn', () => listener.present === 0, waits);
    return wrong;
  } finally {
    sender.drop();
    receiver.drop();
  }
}

/** Clients connect all at once, advertise their routes, receive all others', and disconnect all at once. */
async function clientsComeAndGo(running: RunningReflector, clients: number): Promise<Row[]> {
  const { target, network, reflector } = running;
  const count = clients.toLocaleString('en-US');
  const load = new Load({ target, network, clients, routes: 10 });
  const rows: Row[] = [];
  try {
    await load.establish(clients);
    const wrong = await load.settle();
    rows.push(...(await turns(`${count} clients connect`, running)));
    rows.push(correct(`${count} clients connect: wrong routes`, wrong));
  } finally {
    load.close();
  }
  const gone = async () => (await reflector.status()).routes.prefixes === 0;
  await until('the clients to be gone', gone, { timeoutMs: LOADED_MS, intervalMs: 50 });
  return [...rows, ...(await turns(`${count} clients leave`, running))];
}

/** Reads views and metrics of a full table, ten times. */
async function readViews({ target, network, reflector }: RunningReflector, routes: number): Promise<number> {
  const space = new RouteSpace(routes, 24);
  const sender = new TcpNeighbour(0, network, target, space);
  try {
    await sender.connect();
    sender.send(tableBytes(space, [0, routes]));
    const loaded = async () => (await reflector.status()).routes.prefixes === routes;
    await until('the table to be loaded', loaded, { timeoutMs: LOADED_MS, intervalMs: 200 });
    await requestAll(reflector, [
      '/v1/routes?q=20.7.',
      `/v1/routes?offset=${routes / 2}&limit=1000`,
      '/v1/peers',
    ]);
    return 0;
  } finally {
    sender.drop();
  }
}

/** The same with many clients, which connected a few at a time. */
async function readViewsOfClients(running: RunningReflector, clients: number): Promise<number> {
  const { target, network, reflector } = running;
  const load = new Load({ target, network, clients, routes: 10 });
  try {
    await load.establish();
    const wrong = await load.settle();
    await requestAll(reflector, ['/v1/status', '/v1/peers', '/v1/peers?state=up&sort=name&limit=50']);
    return wrong;
  } finally {
    load.close();
  }
}

async function requestAll(reflector: LabReflector, paths: readonly string[]): Promise<void> {
  for (let round = 0; round < 10; round++) {
    for (const path of paths) await view(reflector.socket, path);
    await reflector.metric('flatroute_rib_prefixes');
  }
}

/** Checks the slices since the start against the limit. */
async function turns(what: string, { reflector, preemptions }: RunningReflector): Promise<Row[]> {
  const { delay, slice, sliceCpu }: EventLoopView = (await reflector.status()).eventLoop;
  return [
    limited(`${what}: CPU of slices p99.9, ms`, sliceCpu.p999Ms, LIMIT),
    limited(`${what}: delay of the event loop p99.9, ms`, delay.p999Ms, LIMIT),
    limited(`${what}: slices p99.9, ms`, slice.p999Ms, LIMIT),
    reported(`${what}: longest slice, ms`, slice.maxMs),
    reported(`${what}: times another process took the core since the start`, preemptions()),
  ];
}

/** Runs something with its own reflector. */
function alone(work: (running: RunningReflector) => Promise<Row[]>): Promise<Row[]> {
  return withReflector(async (running) => {
    // The start itself does not count.
    await sleep(500);
    return work(running);
  });
}

/** Runs something that returns the number of wrong routes, and checks the slices. */
function checked(what: string, work: (running: RunningReflector) => Promise<number>): Promise<Row[]> {
  return alone(async (running) => {
    const wrong = await work(running);
    return [...(await turns(what, running)), correct(`${what}: wrong routes`, wrong)];
  });
}

async function run(values: Record<string, string | boolean | undefined>): Promise<BenchResult> {
  const [routes, clients] = [Number(values.routes), Number(values.clients)];
  const rows = [
    ...(await checked(`${routes.toLocaleString('en-US')} routes`, (running) =>
      tableThrough(running, routes),
    )),
    ...(await alone((running) => clientsComeAndGo(running, clients))),
    ...(await checked('views read', (running) => readViews(running, routes))),
    ...(await checked(`views read, ${clients.toLocaleString('en-US')} clients`, (running) =>
      readViewsOfClients(running, clients),
    )),
  ];
  return { rows, notes: [] };
}

export const slices: Benchmark = {
  name: 'slices',
  title: 'slices of the event loop while a table loads and while clients connect',
  options: { routes: { type: 'string', default: '1000000' }, clients: { type: 'string', default: '1000' } },
  run,
};
