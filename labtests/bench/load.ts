/** Clients of a running reflector with their routes: makes changes, breaks sessions, compares tables, measures latency. */
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from 'bgp-js-testing';
import { until } from '../lab/wait.ts';
import { RouteSpace } from './routes.ts';
import { TcpNeighbour, type TcpTarget } from './tcp-neighbour.ts';

export interface LoadOptions {
  target: TcpTarget;
  /** The first half of the clients' addresses. */
  network: string;
  clients: number;
  /** Routes of each client. */
  routes: number;
  /** AS numbers in the path of every route; many make long messages. */
  pathLength?: number;
  seed?: number;
}

/** How many sessions start at once. */
const AT_ONCE = 50;
/** How long tables may take to be right after the last change. */
const SETTLE_MS = 60_000;
/** One in this many changes withdraws a route. */
const WITHDRAWAL_EVERY = 5;

export class Load {
  readonly neighbours: TcpNeighbour[];
  readonly space: RouteSpace;
  /** The version of every route; 0 when it is withdrawn. */
  readonly truth: Uint32Array;
  /** Milliseconds from a change to its arrival, for every change and every watched client. */
  latencies: number[] = [];
  private readonly routes: number;
  private readonly asPath: number[];
  private readonly random: () => number;
  private version = 0;
  /** When a version was announced. */
  private readonly sent = new Map<number, number>();

  constructor({ target, network, clients, routes, pathLength = 1, seed = 1 }: LoadOptions) {
    this.routes = routes;
    this.space = new RouteSpace(clients * routes, 26);
    this.truth = new Uint32Array(this.space.count);
    this.asPath = Array.from({ length: pathLength }, (_, index) => 100_000 + index);
    this.random = seededRandom(seed);
    this.neighbours = Array.from(
      { length: clients },
      (_, index) => new TcpNeighbour(index, network, target, this.space),
    );
  }

  /** Measures the latency of changes at the clients from `from` to before `to`. */
  watch(from: number, to = this.neighbours.length): void {
    for (const neighbour of this.neighbours.slice(from, to)) {
      neighbour.listener.onAnnounced = (_index, version) => {
        const at = this.sent.get(version);
        // What a client receives after it reconnected is not a change.
        if (at !== undefined && at > neighbour.establishedAt) this.latencies.push(performance.now() - at);
      };
    }
  }

  /** Connects all clients, a number of them at once, and announces all their routes. */
  async establish(atOnce = AT_ONCE): Promise<void> {
    for (let from = 0; from < this.neighbours.length; from += atOnce) {
      await Promise.all(this.neighbours.slice(from, from + atOnce).map((neighbour) => neighbour.connect()));
    }
    for (let index = 0; index < this.neighbours.length; index++) this.announceAll(index);
  }

  /** Announces all routes of a client in a new version. */
  announceAll(client: number): void {
    const [from, to] = this.rangeOf(client);
    const version = ++this.version;
    this.truth.fill(version, from, to);
    this.announce(client, from, to, version);
  }

  /** Changes or withdraws a route of a connected client. */
  change(): void {
    const client = Math.floor(this.random() * this.neighbours.length);
    const neighbour = this.neighbours[client];
    const [from] = this.rangeOf(client);
    const index = from + Math.floor(this.random() * this.routes);
    const withdrawal = Math.floor(this.random() * WITHDRAWAL_EVERY) === 0;
    if (!neighbour.established) return;
    if (withdrawal) {
      this.truth[index] = 0;
      neighbour.send(this.space.withdraw(index, index + 1));
      return;
    }
    const version = ++this.version;
    this.truth[index] = version;
    this.sent.set(version, performance.now());
    this.announce(client, index, index + 1, version);
  }

  /** Makes `rate` changes a second for `ms`, or until aborted. */
  async churn(rate: number, ms: number, signal?: AbortSignal): Promise<void> {
    const start = performance.now();
    let done = 0;
    while (!signal?.aborted) {
      const age = performance.now() - start;
      if (age >= ms) return;
      for (const due = (age * rate) / 1000; done < due; done++) this.change();
      await sleep(2);
    }
  }

  /** Breaks a client's connection, which withdraws its routes. */
  drop(client: number): void {
    this.neighbours[client].drop();
    this.truth.fill(0, ...this.rangeOf(client));
  }

  /** Reconnects a client. The reflector may refuse it until it has noticed the end of the old session. */
  async reconnect(client: number): Promise<void> {
    const neighbour = this.neighbours[client];
    await until(`${neighbour.address} to be back`, () => neighbour.connect().then(() => true));
    this.announceAll(client);
  }

  /** The number of wrong routes in the tables of the clients from `from` on. */
  wrongRoutes(from = 0): number {
    let sum = 0;
    for (let client = from; client < this.neighbours.length; client++) {
      sum += this.neighbours[client].listener.differences(this.truth, ...this.rangeOf(client));
    }
    return sum;
  }

  /** Waits for a limited time until the tables of the clients from `from` on are right; returns the number of wrong routes. */
  async settle(from = 0): Promise<number> {
    const limits = { timeoutMs: SETTLE_MS, intervalMs: 20 };
    await until('all tables to be right', () => this.wrongRoutes(from) === 0, limits).catch(() => {});
    return this.wrongRoutes(from);
  }

  /** The latencies since the last call. */
  takeLatencies(): number[] {
    const latencies = this.latencies;
    this.latencies = [];
    return latencies;
  }

  close(): void {
    for (const neighbour of this.neighbours) neighbour.drop();
  }

  private rangeOf(client: number): [from: number, to: number] {
    return [client * this.routes, (client + 1) * this.routes];
  }

  private announce(client: number, from: number, to: number, version: number): void {
    const { routerId } = this.neighbours[client];
    const set = { from, to, version, nextHop: routerId, asPath: this.asPath };
    this.neighbours[client].send(this.space.announce(set));
  }
}
