/**
 * A reflector of a large cluster without sockets: a real speaker with thousands of light clients and with the other
 * reflectors. Its work is timed, so that each reflector of this process has its own CPU time.
 */
import { type PeerOptions, peerConfig, peerStatuses, Speaker } from 'bgp-js';
import { addressFrom } from 'bgp-js/ip';
import { KEEPALIVE } from 'bgp-js/wire';
import { greeting, openBytes, seededRandom } from 'bgp-js-testing';
import type { RouteListener } from './listener.ts';

const SCALE_AS = 65000;
/** Milliseconds of work before output is sent, and octets of one write: those of bgp-js/net. */
const SLICE_MS = 4;
const WRITE_SIZE = 65536;

/** The receiver of a connection's output. */
export interface FarSide {
  take(bytes: Uint8Array): void;
}

/** The work of a reflector since the last reading. */
export interface Effort {
  cpuMs: number;
  updates: number;
  octets: number;
  writes: number;
}

/** Counts octets and drops them. */
const NO_FAR_SIDE: FarSide = { take() {} };

export class ScaleReflector {
  readonly address: string;
  readonly speaker: Speaker;
  private readonly sides = new Map<number, FarSide>();
  private effort: Effort = { cpuMs: 0, updates: 0, octets: 0, writes: 0 };
  private updatesBefore = 0;

  constructor(address: string, clusterId: string) {
    this.address = address;
    const config = {
      as: SCALE_AS,
      routerId: this.address,
      address: this.address,
      clusterId,
      maximumPaths: 1,
    };
    this.speaker = new Speaker(config, seededRandom(1));
  }

  /** Configures the nodes as peers. */
  addNodes(count: number, fields: Partial<PeerOptions>): void {
    this.addPeer({ range: '10.128.0.0/9', maximumPeers: count, ...fields });
  }

  /** Configures peers that receive all routes. */
  addPeer(fields: Partial<PeerOptions>): void {
    const common = {
      as: SCALE_AS,
      export: 'all' as const,
      nextHopSelf: false,
      acceptDefault: true,
      requirePolicy: false,
      passive: true,
      holdTime: 0,
      maximumPrefixes: 10_000_000,
    };
    this.speaker.addPeer(peerConfig({ ...common, ...fields }), 0);
  }

  /** Accepts a connection from `address`, whose other side is `side`. Throws an Error when it is refused. */
  accept(address: string, side: FarSide = NO_FAR_SIDE): number {
    const id = this.speaker.accepted(addressFrom(address, 'client'), addressFrom(this.address, 'local'), 0);
    if (id === null) throw new Error(`${this.address} refused ${address}`);
    this.sides.set(id, side);
    return id;
  }

  /** Connects a light client, which sends its OPEN and all its routes at once; a listener reads its input. */
  addClient(index: number, says: Uint8Array, listener?: RouteListener): number {
    const id = this.accept(nodeAddress(index), listener && { take: (bytes) => listener.take(bytes.slice()) });
    const open = openBytes(SCALE_AS, { identifier: nodeIdentifier(index), holdTime: 0 });
    this.receive(id, Buffer.concat([greeting(open), says]));
    return id;
  }

  /** Delivers a KEEPALIVE on every connection. */
  keepalives(ids: readonly number[]): void {
    for (const id of ids) this.receive(id, KEEPALIVE);
  }

  receive(id: number, bytes: Uint8Array): void {
    this.speaker.received(id, Uint8Array.from(bytes));
  }

  disconnect(ids: readonly number[]): void {
    this.timed(() => {
      for (const id of ids) {
        this.sides.delete(id);
        this.speaker.disconnected(id, 'the connection was reset', 0);
      }
    });
    // Peers of the range are removed with their counters.
    this.updatesBefore = this.updatesSent();
  }

  private updatesSent(): number {
    return peerStatuses(this.speaker, 0).reduce((sum, { counters }) => sum + counters.updatesSent, 0);
  }

  /** One slice, as in bgp-js/net: some work, then all output; true when there may be more. */
  slice(): boolean {
    return this.timed(() => {
      const { speaker } = this;
      let busy = speaker.hasWork;
      const end = performance.now() + SLICE_MS;
      while (speaker.hasWork && performance.now() < end) speaker.work(0);
      speaker.actions();
      speaker.events();
      for (const [id, side] of this.sides) busy = this.send(id, side) || busy;
      return busy;
    });
  }

  private send(id: number, side: FarSide): boolean {
    let sent = false;
    while (this.speaker.wantsToSend(id)) {
      const parts = this.speaker.transmit(id, WRITE_SIZE);
      if (parts.length === 0) break;
      sent = true;
      this.effort.writes++;
      for (const part of parts) {
        this.effort.octets += part.length;
        side.take(part);
      }
    }
    return sent;
  }

  /** The work since the last call. */
  takeEffort(): Effort {
    const { effort } = this;
    const sent = this.updatesSent();
    effort.updates = sent - this.updatesBefore;
    this.updatesBefore = sent;
    this.effort = { cpuMs: 0, updates: 0, octets: 0, writes: 0 };
    return effort;
  }

  private timed<T>(work: () => T): T {
    const start = performance.now();
    const result = work();
    this.effort.cpuMs += performance.now() - start;
    return result;
  }
}

export function reflectorAddress(index: number): string {
  return `10.0.0.${index + 1}`;
}

export function nodeAddress(index: number): string {
  return `10.${128 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
}

function nodeIdentifier(index: number): number {
  return 0x0a800000 + index;
}

/** Runs reflectors in turn until none has work left. */
export function settle(reflectors: readonly ScaleReflector[]): void {
  for (let busy = true; busy; ) {
    busy = false;
    for (const reflector of reflectors) busy = reflector.slice() || busy;
  }
}

/** Connects two speakers that are peers of each other. */
export function join(a: ScaleReflector, b: ScaleReflector): [atA: number, atB: number] {
  const ids: [number, number] = [-1, -1];
  ids[0] = a.accept(b.address, { take: (bytes) => b.receive(ids[1], bytes) });
  ids[1] = b.accept(a.address, { take: (bytes) => a.receive(ids[0], bytes) });
  return ids;
}
