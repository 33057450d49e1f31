/**
 * Many speakers in one process under virtual time, connected by the simulated network of network.ts. Links can be cut,
 * slowed and stalled, nodes killed and restarted, and their clocks advanced. The same seed gives the same run.
 */
import { type PeerOptions, peerConfig } from 'bgp-js/session/peer-config.ts';
import { Speaker } from 'bgp-js/speaker/speaker.ts';
import type { SpeakerEvent, SpeakerOptions } from 'bgp-js/speaker/speaker-types.ts';
import { EventQueue } from './event-queue.ts';
import { type LinkQuality, Network } from './network.ts';
import { seededRandom } from './random.ts';

/** A node of the simulation, with its speaker. */
export interface SimNode {
  address: string;
  speaker: Speaker;
  /** Every event of its speaker, with the time in ms. */
  log: { at: number; event: SpeakerEvent }[];
  alive: boolean;
  /** How far its clock is ahead of the simulation's, in ms. */
  clockOffset: number;
  /** The deadline of its speaker, in ms of the simulation. */
  deadline: number;
}

/** Rounds at one time after which the speakers count as stuck in a loop. */
const MAX_ROUNDS = 100_000;

export { peerConfig };

export class Simulation {
  /** Virtual time in ms. */
  now = 0;
  readonly random: () => number;
  readonly nodes = new Map<string, SimNode>();
  readonly network: Network<SimNode>;
  /** Called for every event of a speaker. */
  onEvent: ((node: SimNode, event: SpeakerEvent) => void) | null = null;
  private readonly queue = new EventQueue();
  private readonly touched = new Set<SimNode>();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const host = {
      time: () => this.now,
      random: this.random,
      nodeAt: (address: string) => this.nodes.get(address),
      clock: (node: SimNode) => this.clock(node),
      touch: (node: SimNode) => {
        this.touched.add(node);
      },
    };
    this.network = new Network(host, this.queue);
  }

  /** Adds a speaker at `address`; it starts to connect when the simulation runs. */
  add(config: { as: number } & Partial<SpeakerOptions>, address: string): SimNode {
    const full = { routerId: address, address, maximumPaths: 1, ...config };
    const speaker = new Speaker(full, this.random);
    const node: SimNode = { address, speaker, log: [], alive: true, clockOffset: 0, deadline: 0 };
    this.nodes.set(address, node);
    this.network.added(address);
    this.touched.add(node);
    return node;
  }

  /** Configures `a` and `b` as peers of each other. */
  peer(a: SimNode, b: SimNode, fields: Partial<PeerOptions> = {}): void {
    const { clock } = this;
    a.speaker.addPeer(peerConfig({ ...fields, address: b.address, as: b.speaker.config.as }), clock(a));
    b.speaker.addPeer(peerConfig({ ...fields, address: a.address, as: a.speaker.config.as }), clock(b));
  }

  /** The time on the node's clock, which its speaker gets. */
  readonly clock = (node: SimNode): number => this.now + node.clockOffset;

  /** Sets the node's clock forward by `step` ms. */
  jumpClock(node: SimNode, step: number): void {
    node.clockOffset += step;
    this.touched.add(node);
  }

  /** From now on nothing gets from one to the other, and no end is notified. */
  cut(a: SimNode, b: SimNode): void {
    this.network.cut(a, b);
  }

  heal(a: SimNode, b: SimNode): void {
    this.network.heal(a, b);
  }

  setQuality(a: SimNode, b: SimNode, quality: LinkQuality): void {
    this.network.setQuality(a, b, quality);
  }

  /**
   * Kills the process; the kernel closes its connections at once. `silent`: the machine loses power, and no connection
   * is closed.
   */
  kill(node: SimNode, silent = false): void {
    node.alive = false;
    this.network.remove(node, silent);
    this.nodes.delete(node.address);
    this.touched.delete(node);
  }

  /** Runs a function at a virtual time. */
  schedule(at: number, run: () => void): void {
    this.queue.schedule(at, run);
  }

  /** Runs for `duration` ms of virtual time. */
  run(duration: number): void {
    const until = this.now + duration;
    for (const node of this.nodes.values()) this.touched.add(node);
    for (let rounds = 0; ; rounds++) {
      this.settle();
      let next = this.queue.nextAt;
      for (const { deadline } of this.nodes.values()) next = Math.min(next, deadline);
      if (next > until) break;
      if (next > this.now) rounds = 0;
      else if (rounds > MAX_ROUNDS)
        throw new Error(`time stands still at ${this.now} ms: a timer is never done`);
      this.now = Math.max(this.now, next);
      this.turn();
    }
    this.now = until;
  }

  /** Runs until the condition holds; throws when it does not within `limit` ms of virtual time. */
  runUntil(condition: () => boolean, limit: number): void {
    const until = this.now + limit;
    while (!condition()) {
      if (this.now >= until) throw new Error(`the condition did not hold within ${limit} ms of virtual time`);
      this.run(Math.min(100, until - this.now));
    }
  }

  private turn(): void {
    this.queue.runUntil(this.now);
    for (const node of this.nodes.values()) {
      if (node.deadline > this.now) continue;
      node.speaker.tick(this.clock(node));
      this.touched.add(node);
    }
  }

  /** Lets every woken speaker work and send until none has anything left at the current time. */
  private settle(): void {
    for (let rounds = 0; this.touched.size > 0; rounds++) {
      if (rounds > MAX_ROUNDS) throw new Error(`a speaker at ${this.now} ms never runs out of work`);
      for (const node of [...this.touched]) {
        this.touched.delete(node);
        if (node.alive && this.step(node)) this.touched.add(node);
        node.deadline = node.speaker.deadline - node.clockOffset;
        if (node.speaker.deadline > node.speaker.nearestDeadline())
          throw new Error(`${node.address} would sleep over a timer at ${this.now} ms`);
      }
    }
  }

  /** Runs one step of a node; true when it may have more to do. */
  private step(node: SimNode): boolean {
    const { speaker } = node;
    let busy = speaker.hasWork;
    if (busy) speaker.work(this.clock(node));
    else speaker.routing.reclaim();
    for (const action of speaker.actions()) {
      busy = true;
      if (action.type === 'connect') this.network.connect(node, action.connection, action.address.toString());
      else this.network.close(node, action.connection, action.lastBytes);
    }
    for (const event of speaker.events()) {
      node.log.push({ at: this.now, event });
      this.onEvent?.(node, event);
    }
    for (const id of [...speaker.connections()]) {
      if (!speaker.wantsToSend(id)) continue;
      const room = this.network.room(node, id);
      if (room === 0) continue;
      const parts = speaker.transmit(id, room);
      for (const part of parts) this.network.send(node, id, part);
      busy = busy || parts.length > 0;
    }
    return busy;
  }
}
