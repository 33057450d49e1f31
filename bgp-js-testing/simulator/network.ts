/**
 * Simulated TCP: ordered byte streams with seeded delays, split at seeded places.
 *
 * A link can be cut; bytes in flight arrive after it heals, as TCP retransmits them. It can be slow, with a small window,
 * and it can stall for a while. A node can exit like a process, whose kernel closes its connections, or like a machine
 * that loses power: its peers notice by silence, or by a reset once it is back.
 */
import { addressFrom, type IPAddress } from 'bgp-js/ip';
import type { Speaker } from 'bgp-js/speaker/speaker.ts';
import type { EventQueue } from './event-queue.ts';

type Named = Pick<NetworkNode, 'address'>;

/** The part of a node that the network uses. */
export interface NetworkNode {
  address: string;
  speaker: Speaker;
  alive: boolean;
}

/** What the network needs from the simulation. */
export interface NetworkHost<N extends NetworkNode> {
  time(): number;
  random(): number;
  /** The running node at the address. */
  nodeAt(address: string): N | undefined;
  /** The time on the node's own clock. */
  clock(node: N): number;
  /** Called when the node may have work. */
  touch(node: N): void;
}

/** How a link between two nodes behaves. */
export interface LinkQuality {
  /** Octets per second in each direction. */
  rate: number;
  /** Octets that may be in flight in one direction before the sender has to wait. */
  window: number;
}

const GOOD: LinkQuality = { rate: Number.POSITIVE_INFINITY, window: 65536 };

type Arrival = Uint8Array | 'connected' | 'closed' | 'reset';

/** One end of a connection. */
interface End<N> {
  node: N;
  id: number;
  peer: End<N> | null;
  /** What is in flight to this end, in order, with the time of arrival. */
  inbox: { at: number; what: Arrival }[];
  /** Octets in the inbox. */
  inFlight: number;
  closed: boolean;
  /** Its machine lost power. */
  vanished: boolean;
}

interface Wire {
  cut: boolean;
  stalledUntil: number;
  quality: LinkQuality;
  /** Deliveries that wait for the link to heal. */
  held: (() => void)[];
}

export class Network<N extends NetworkNode> {
  private readonly host: NetworkHost<N>;
  private readonly queue: EventQueue;
  private readonly ends = new Map<N, Map<number, End<N>>>();
  private readonly wires = new Map<string, Wire>();
  /** Addresses of machines that are off. */
  private readonly gone = new Set<string>();

  /** Octets in flight to open ends over links that are not cut. */
  get octetsInFlight(): number {
    let octets = 0;
    for (const ends of this.ends.values()) {
      for (const end of ends.values()) {
        if (end.peer && !this.wire(end.node, end.peer.node).cut) octets += end.inFlight;
      }
    }
    return octets;
  }

  constructor(host: NetworkHost<N>, queue: EventQueue) {
    this.host = host;
    this.queue = queue;
  }

  /** From now on nothing gets from one to the other, and no end is notified. */
  cut(a: Named, b: Named): void {
    this.wire(a, b).cut = true;
  }

  heal(a: Named, b: Named): void {
    const wire = this.wire(a, b);
    wire.cut = false;
    for (const run of wire.held.splice(0)) this.queue.schedule(this.host.time() + this.delay(), run);
  }

  isCut(a: Named, b: Named): boolean {
    return this.wire(a, b).cut;
  }

  /** Delivers nothing for `duration` ms. */
  stall(a: Named, b: Named, duration: number): void {
    const wire = this.wire(a, b);
    wire.stalledUntil = Math.max(wire.stalledUntil, this.host.time() + duration);
  }

  setQuality(a: Named, b: Named, quality: LinkQuality): void {
    this.wire(a, b).quality = quality;
  }

  /** A node has started, perhaps again. */
  added(address: string): void {
    this.gone.delete(address);
  }

  /** A node has ended; `silent`: its connections are not closed. */
  remove(node: N, silent: boolean): void {
    if (silent) this.gone.add(node.address);
    for (const end of [...(this.ends.get(node)?.values() ?? [])]) {
      if (silent) {
        end.vanished = true;
        this.forget(end);
      } else this.closeEnd(end);
    }
    this.ends.delete(node);
  }

  /** Starts to connect to an address. */
  connect(node: N, id: number, address: string): void {
    const end = this.addEnd(node, id, null);
    this.queue.schedule(this.host.time() + this.delay(), () => this.request(end, address));
  }

  /** Octets that may be sent on a connection now; 0 when the window is full or the connection does not exist. */
  room(node: N, id: number): number {
    const end = this.ends.get(node)?.get(id);
    if (!end?.peer) return 0;
    return Math.max(0, this.wire(node, end.peer.node).quality.window - end.peer.inFlight);
  }

  /** Sends bytes in a few pieces, each with its own delay, in order. */
  send(node: N, id: number, bytes: Uint8Array): void {
    const end = this.ends.get(node)?.get(id);
    if (!end?.peer) return;
    let at = 0;
    while (at < bytes.length) {
      const left = bytes.length - at;
      const size = this.host.random() < 0.5 ? left : 1 + Math.floor(this.host.random() * left);
      this.convey(end.peer, bytes.slice(at, at + size));
      at += size;
    }
  }

  /** Closes a connection after what was sent. */
  close(node: N, id: number, lastBytes: Uint8Array | null): void {
    const end = this.ends.get(node)?.get(id);
    if (!end) return;
    if (lastBytes) this.send(node, id, lastBytes);
    this.closeEnd(end);
  }

  private wire(a: Named, b: Named): Wire {
    const key = a.address < b.address ? `${a.address}-${b.address}` : `${b.address}-${a.address}`;
    let wire = this.wires.get(key);
    if (!wire) {
      wire = { cut: false, stalledUntil: 0, quality: GOOD, held: [] };
      this.wires.set(key, wire);
    }
    return wire;
  }

  private delay(): number {
    return 0.1 + this.host.random() * 5;
  }

  private addEnd(node: N, id: number, peer: End<N> | null): End<N> {
    const end: End<N> = { node, id, peer, inbox: [], inFlight: 0, closed: false, vanished: false };
    let ends = this.ends.get(node);
    if (!ends) {
      ends = new Map();
      this.ends.set(node, ends);
    }
    ends.set(id, end);
    return end;
  }

  /** A connection request reaches the other side. */
  private request(end: End<N>, address: string): void {
    const target = this.host.nodeAt(address);
    if (end.closed) return;
    if (!target) {
      // A machine without a speaker refuses. One that is off does not answer, and the attempt times out.
      if (!this.gone.has(address))
        this.queue.schedule(this.host.time() + this.delay(), () => this.refused(end));
      return;
    }
    const wire = this.wire(end.node, target);
    if (wire.cut) {
      wire.held.push(() => this.request(end, address));
      return;
    }
    const id = target.speaker.accepted(addressOf(end.node), addressOf(target), this.host.clock(target));
    this.host.touch(target);
    if (id === null) {
      this.queue.schedule(this.host.time() + this.delay(), () => this.refused(end));
      return;
    }
    end.peer = this.addEnd(target, id, end);
    this.convey(end, 'connected');
  }

  private refused(end: End<N>): void {
    if (end.closed) return;
    this.forget(end);
    end.node.speaker.disconnected(end.id, 'connection refused', this.host.clock(end.node));
    this.host.touch(end.node);
  }

  /** Schedules a delivery to an end. */
  private convey(to: End<N>, what: Arrival): void {
    const octets = typeof what === 'string' ? 0 : what.length;
    const from = to.peer?.node ?? to.node;
    const { quality } = this.wire(from, to.node);
    const before = to.inbox.at(-1)?.at ?? 0;
    const at = Math.max(before, this.host.time() + this.delay()) + (1000 * octets) / quality.rate;
    to.inbox.push({ at, what });
    to.inFlight += octets;
    this.queue.schedule(at, () => this.arrivals(to));
  }

  /** Delivers what has arrived at an end. */
  private arrivals(end: End<N>): void {
    const { host } = this;
    if (end.inbox.length === 0) return;
    const wire = this.wire(end.node, end.peer?.node ?? end.node);
    if (wire.cut) {
      wire.held.push(() => this.arrivals(end));
    } else if (host.time() < wire.stalledUntil) {
      this.queue.schedule(wire.stalledUntil, () => this.arrivals(end));
    } else {
      while (end.inbox.length > 0 && end.inbox[0].at <= host.time())
        this.arrive(end, end.inbox.shift()!.what);
    }
  }

  private arrive(end: End<N>, what: Arrival): void {
    const { host } = this;
    if (typeof what !== 'string') end.inFlight -= what.length;
    if (end.peer) host.touch(end.peer.node);
    if (end.closed) {
      // A machine that came back does not know the connection and resets it.
      const back = end.vanished && host.nodeAt(end.node.address) !== undefined;
      if (back && end.peer && !end.peer.closed) this.convey(end.peer, 'reset');
      return;
    }
    const { node, id } = end;
    const now = host.clock(node);
    host.touch(node);
    if (what === 'connected') node.speaker.connected(id, addressOf(node), now);
    else if (typeof what !== 'string') node.speaker.received(id, what);
    else {
      node.speaker.drainInput(id, now);
      this.forget(end);
      const reason = what === 'closed' ? 'the peer closed the connection' : 'the connection was reset';
      node.speaker.disconnected(id, reason, now);
    }
  }

  /** Closes this side; the other is notified when everything sent before has arrived. */
  private closeEnd(end: End<N>): void {
    this.forget(end);
    if (end.peer && !end.peer.closed) this.convey(end.peer, 'closed');
  }

  private forget(end: End<N>): void {
    end.closed = true;
    this.ends.get(end.node)?.delete(end.id);
  }
}

function addressOf(node: { address: string }): IPAddress {
  return addressFrom(node.address, 'node');
}
