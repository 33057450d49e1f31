/**
 * Many speakers in one process under virtual time. TCP is played by ordered byte streams with seeded delays that are
 * split at seeded places; links can be cut, so that bytes are lost in silence, and nodes can be killed. The same seed
 * gives the same run.
 */
import { type PeerConfig, peerConfig } from '../session/peer-config.ts';
import { Speaker } from '../speaker.ts';
import type { SpeakerConfig, SpeakerEvent } from '../speaker-types.ts';
import { seededRandom } from './random.ts';

export { peerConfig };

/** One speaker in the simulation. */
export interface SimNode {
  address: string;
  speaker: Speaker;
  /** Everything that its speaker told, with the time in ms. */
  log: { at: number; event: SpeakerEvent }[];
  alive: boolean;
}

/** One end of a simulated TCP connection. */
interface End {
  node: SimNode;
  id: number;
  peer: End | null;
  /** When the last bytes sent to this end arrive: a stream keeps its order. */
  arrival: number;
  closed: boolean;
}

interface Scheduled {
  at: number;
  sequence: number;
  run: () => void;
}

export class Simulation {
  /** Virtual time in ms. */
  now = 0;
  readonly random: () => number;
  readonly nodes = new Map<string, SimNode>();
  private readonly ends = new Map<string, End>();
  private readonly cuts = new Set<string>();
  private queue: Scheduled[] = [];
  private sequence = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** Adds a speaker at `address`; it begins to connect when the simulation runs. */
  add(
    config: Omit<SpeakerConfig, 'routerId' | 'address' | 'maximumPaths'> & Partial<SpeakerConfig>,
    address: string,
  ): SimNode {
    const full = { routerId: address, address, maximumPaths: 1, ...config };
    const node: SimNode = { address, speaker: new Speaker(full, this.random), log: [], alive: true };
    this.nodes.set(address, node);
    return node;
  }

  /** Configures `a` and `b` as peers of each other. */
  peer(a: SimNode, b: SimNode, fields: Partial<PeerConfig> = {}): void {
    a.speaker.addPeer(peerConfig({ ...fields, address: b.address, as: b.speaker.config.as }), this.now);
    b.speaker.addPeer(peerConfig({ ...fields, address: a.address, as: a.speaker.config.as }), this.now);
  }

  /** From now on nothing gets from one to the other, and nobody is told. */
  cut(a: SimNode, b: SimNode): void {
    this.cuts.add(pairKey(a, b));
  }

  heal(a: SimNode, b: SimNode): void {
    this.cuts.delete(pairKey(a, b));
  }

  /** The process dies: its connections break at once, as the kernel closes them. */
  kill(node: SimNode): void {
    node.alive = false;
    for (const end of [...this.ends.values()]) if (end.node === node) this.closeEnd(end);
    this.nodes.delete(node.address);
  }

  /** Runs for `duration` ms of virtual time. */
  run(duration: number): void {
    const until = this.now + duration;
    for (;;) {
      this.settle();
      const next = Math.min(this.queue[0]?.at ?? Number.POSITIVE_INFINITY, this.nearestDeadline());
      if (next > until) break;
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
    while (this.queue.length > 0 && this.queue[0].at <= this.now) this.pop().run();
    for (const node of this.nodes.values()) {
      if (node.speaker.deadline <= this.now) node.speaker.tick(this.now);
    }
  }

  private nearestDeadline(): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (const { speaker } of this.nodes.values()) nearest = Math.min(nearest, speaker.deadline);
    return nearest;
  }

  /** Lets every speaker work and send until none has anything left at this moment. */
  private settle(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const node of this.nodes.values()) busy = this.step(node) || busy;
    }
  }

  private step(node: SimNode): boolean {
    const { speaker } = node;
    let busy = speaker.hasWork;
    if (busy) speaker.work(this.now);
    for (const action of speaker.actions()) {
      busy = true;
      if (action.type === 'connect') this.connect(node, action.connection, action.address);
      else this.close(node, action.connection, action.farewell);
    }
    for (const event of speaker.events()) node.log.push({ at: this.now, event });
    for (const id of [...speaker.connections()]) {
      if (!speaker.wantsToSend(id)) continue;
      const end = this.ends.get(endKey(node, id));
      const parts = speaker.transmit(id, 65536);
      if (end) for (const part of parts) this.send(end, part);
      busy = busy || parts.length > 0;
    }
    return busy;
  }

  private delay(): number {
    return 0.1 + this.random() * 5;
  }

  private connect(node: SimNode, id: number, address: string): void {
    const end: End = { node, id, peer: null, arrival: this.now, closed: false };
    this.ends.set(endKey(node, id), end);
    this.schedule(this.now + this.delay(), () => this.arrive(end, address));
  }

  /** A connection request reaches the other side. */
  private arrive(end: End, address: string): void {
    const target = this.nodes.get(address);
    if (end.closed || !end.node.alive) return;
    if (target && this.cuts.has(pairKey(end.node, target))) return;
    const id = target?.speaker.accepted(end.node.address, target.address, this.now) ?? null;
    if (!target || id === null) {
      this.schedule(this.now + this.delay(), () => this.refused(end));
      return;
    }
    const other: End = { node: target, id, peer: end, arrival: this.now, closed: false };
    end.peer = other;
    this.ends.set(endKey(target, id), other);
    // What the other side sends comes behind this, as data comes behind the handshake of TCP.
    end.arrival = this.now + this.delay();
    this.schedule(end.arrival, () => {
      if (!end.closed) end.node.speaker.connected(end.id, end.node.address, this.now);
    });
  }

  private refused(end: End): void {
    if (end.closed) return;
    this.forget(end);
    end.node.speaker.disconnected(end.id, 'connection refused', this.now);
  }

  /** Sends bytes in up to three pieces, each delayed on its own but in order. */
  private send(from: End, bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const size =
        this.random() < 0.5 ? bytes.length - at : 1 + Math.floor(this.random() * (bytes.length - at));
      this.deliver(from, bytes.slice(at, at + size));
      at += size;
    }
  }

  private deliver(from: End, piece: Uint8Array): void {
    const { peer } = from;
    if (!peer) return;
    peer.arrival = Math.max(peer.arrival, this.now + this.delay());
    this.schedule(peer.arrival, () => {
      if (peer.closed || this.cuts.has(pairKey(from.node, peer.node))) return;
      peer.node.speaker.received(peer.id, piece);
    });
  }

  private close(node: SimNode, id: number, farewell: Uint8Array | null): void {
    const end = this.ends.get(endKey(node, id));
    if (!end) return;
    if (farewell) this.send(end, farewell);
    this.closeEnd(end);
  }

  /** This side is closed; the other learns of it when everything sent before has arrived. */
  private closeEnd(end: End): void {
    this.forget(end);
    const { peer } = end;
    if (!peer || peer.closed) return;
    peer.arrival = Math.max(peer.arrival, this.now + this.delay());
    this.schedule(peer.arrival, () => {
      if (peer.closed || this.cuts.has(pairKey(end.node, peer.node))) return;
      peer.node.speaker.drainInput(peer.id, this.now);
      this.forget(peer);
      peer.node.speaker.disconnected(peer.id, 'the peer closed the connection', this.now);
    });
  }

  private forget(end: End): void {
    end.closed = true;
    this.ends.delete(endKey(end.node, end.id));
  }

  // --- the queue: a binary heap by time, then by order of scheduling ---------------------------------------------------

  private schedule(at: number, run: () => void): void {
    const { queue } = this;
    queue.push({ at, sequence: this.sequence++, run });
    let i = queue.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(queue[i], queue[parent])) break;
      [queue[i], queue[parent]] = [queue[parent], queue[i]];
      i = parent;
    }
  }

  private pop(): Scheduled {
    const { queue } = this;
    const first = queue[0];
    const last = queue.pop();
    if (queue.length === 0 || !last) return first;
    queue[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < queue.length && before(queue[child], queue[least])) least = child;
      }
      if (least === i) return first;
      [queue[i], queue[least]] = [queue[least], queue[i]];
      i = least;
    }
  }
}

const before = (a: Scheduled, b: Scheduled): boolean =>
  a.at < b.at || (a.at === b.at && a.sequence < b.sequence);

const endKey = (node: SimNode, id: number): string => `${node.address}#${id}`;

const pairKey = (a: SimNode, b: SimNode): string => [a.address, b.address].sort().join('-');
