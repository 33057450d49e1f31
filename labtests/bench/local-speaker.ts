/** A speaker without sockets. Its neighbours are light: they send prepared bytes, and count or read what they receive. */
import { type PeerOptions, peerConfig, Speaker } from 'bgp-js';
import { addressFrom } from 'bgp-js/ip';
import { greeting, openBytes, seededRandom } from 'bgp-js-testing';
import type { RouteListener } from './listener.ts';

const LOCAL_AS = 65000;
/** How many octets a neighbour takes at once. */
const WINDOW = 65536;

/** A neighbour: the id of its connection, and what it received. */
export interface LightNeighbour {
  id: number;
  octets: number;
  messages: number;
  /** Reads what it receives; null: it only counts. */
  listener: RouteListener | null;
}

/** The speaker's address on every session. */
const OUR_ADDRESS = addressFrom('10.200.0.1', 'local');

export class LocalSpeaker {
  readonly speaker = new Speaker(
    { as: LOCAL_AS, routerId: '10.200.0.1', clusterId: '1.1.1.1', address: '10.200.0.1', maximumPaths: 1 },
    seededRandom(1),
  );
  readonly neighbours = new Map<number, LightNeighbour>();

  constructor(fields: Partial<PeerOptions> = {}) {
    const clients = {
      range: '10.0.0.0/8',
      as: LOCAL_AS,
      client: true,
      acceptDefault: true,
      export: 'all' as const,
      nextHopSelf: false,
      requirePolicy: false,
      maximumPrefixes: 10_000_000,
      maximumPeers: 10_000,
      ...fields,
    };
    this.speaker.addPeer(peerConfig(clients), 0);
  }

  /** The address of neighbour `index`, which is its identifier as well. */
  static address(index: number): string {
    return `10.201.${index >> 8}.${index & 255}`;
  }

  /** Brings the session of neighbour `index` up. Throws an Error when it is refused. */
  establish(index: number, listener: RouteListener | null = null): LightNeighbour {
    const address = LocalSpeaker.address(index);
    const id = this.speaker.accepted(addressFrom(address, 'neighbour'), OUR_ADDRESS, 0);
    if (id === null) throw new Error(`${address} was refused`);
    const neighbour = { id, octets: 0, messages: 0, listener };
    this.neighbours.set(id, neighbour);
    const [, , b, a] = address.split('.').map(Number);
    const open = openBytes(LOCAL_AS, { identifier: 0x0ac90000 + b * 256 + a, holdTime: 0 });
    this.speaker.received(id, Uint8Array.from(greeting(open)));
    this.settle();
    return neighbour;
  }

  /** Sends bytes from a neighbour in pieces as TCP delivers them; the bytes then belong to the speaker. */
  send({ id }: LightNeighbour, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += WINDOW) {
      this.speaker.received(id, bytes.slice(at, at + WINDOW));
      this.settle();
    }
  }

  /** Sends from several neighbours at the same time, to each its own bytes. */
  sendTogether(parts: readonly (readonly [LightNeighbour, Uint8Array])[]): void {
    for (const [{ id }, bytes] of parts) this.speaker.received(id, bytes);
    this.settle();
  }

  /** Runs the speaker until it has no work left. */
  settle(): void {
    const { speaker } = this;
    for (let busy = true; busy; ) {
      busy = speaker.hasWork;
      if (busy) speaker.work(0);
      speaker.actions();
      speaker.events();
      for (const neighbour of this.neighbours.values()) busy = this.pull(neighbour) || busy;
    }
  }

  private pull(neighbour: LightNeighbour): boolean {
    const { id, listener } = neighbour;
    if (!this.speaker.wantsToSend(id)) return false;
    const parts = this.speaker.transmit(id, WINDOW);
    for (const part of parts) {
      neighbour.octets += part.length;
      listener?.take(part.slice());
    }
    neighbour.messages += parts.length;
    return parts.length > 0;
  }
}
