/** A speaker without sockets and without a clock: the test plays its peers, octet by octet, and advances the time. */

import assert from 'node:assert/strict';
import { peerConfig, seededRandom } from 'bgp-js-testing/index.ts';
import {
  type Attributes,
  type PeerOptions,
  type PeerStatus,
  peerStatuses,
  Speaker,
  type SpeakerAction,
  type SpeakerEvent,
  type SpeakerOptions,
} from '../../index.ts';
import { IPPrefix } from '../../ip/index.ts';
import {
  CapabilityCode,
  decodeAttributes,
  decodeMessage,
  encodeAttributes,
  encodeMessage,
  Framer,
  isError,
  KEEPALIVE,
  type Message,
  type OpenMessage,
} from '../../wire/index.ts';
import { ip, prefix } from '../ip/values.ts';
import { hex } from '../wire/bytes.ts';

export const OUR_AS = 64512;
export const OUR_ADDRESS = '10.0.0.1';

export class Bench {
  /** Virtual time in ms. */
  now = 1000;
  readonly speaker: Speaker;
  /** All events of the speaker so far. */
  readonly events: SpeakerEvent[] = [];
  /** `connect` actions that the test has not answered yet. */
  readonly connects: (SpeakerAction & { type: 'connect' })[] = [];
  private readonly ends = new Map<number, ConnectionEnd>();

  constructor(config: Partial<SpeakerOptions> = {}) {
    const full = { as: OUR_AS, routerId: OUR_ADDRESS, address: OUR_ADDRESS, maximumPaths: 1, ...config };
    this.speaker = new Speaker(full, seededRandom(1));
  }

  /** Configures a peer, passive by default, and returns the object that plays it. */
  peer(address: string, fields: Partial<PeerOptions> = {}): HandPeer {
    const config = peerConfig({ as: OUR_AS, passive: true, address, ...fields });
    this.speaker.addPeer(config, this.now);
    this.pump();
    return new HandPeer(this, address, config.as);
  }

  /** Advances the time, and calls `tick` at every deadline. */
  advance(ms: number): void {
    const until = this.now + ms;
    while (this.speaker.deadline <= until) {
      this.now = Math.max(this.now, this.speaker.deadline);
      this.speaker.tick(this.now);
      this.pump();
    }
    this.now = until;
  }

  /** Runs the speaker until it has no work and no output left. */
  pump(): void {
    const { speaker } = this;
    while (speaker.hasWork) speaker.work(this.now);
    for (const action of speaker.actions()) {
      if (action.type === 'connect') this.connects.push(action);
      else this.ends.get(action.connection)?.close(action.lastBytes);
    }
    this.events.push(...speaker.events());
    for (const id of [...speaker.connections()]) {
      while (speaker.wantsToSend(id)) {
        const parts = speaker.transmit(id, 65536);
        if (parts.length === 0) break;
        for (const part of parts) this.ends.get(id)?.receive(part);
      }
    }
    assert.ok(speaker.deadline <= speaker.nearestDeadline(), 'the deadline is no later than the first timer');
  }

  addEnd(id: number): ConnectionEnd {
    const end = new ConnectionEnd();
    this.ends.set(id, end);
    return end;
  }

  /** The peer's status in the views. */
  status(address: string): PeerStatus {
    const status = peerStatuses(this.speaker, this.now).find((candidate) => candidate.address === address);
    assert.ok(status, `the speaker knows ${address}`);
    return status;
  }

  eventsOf<T extends SpeakerEvent['type']>(type: T): (SpeakerEvent & { type: T })[] {
    return this.events.filter((event): event is SpeakerEvent & { type: T } => event.type === type);
  }
}

/** Receives the speaker's output on one connection. */
class ConnectionEnd {
  closed = false;
  readonly messages: Message[] = [];
  private readonly framer = new Framer();

  receive(bytes: Uint8Array): void {
    assert.ok(!this.closed, 'nothing is sent on a connection that was closed');
    this.framer.push(bytes.slice());
    for (let at = this.framer.next(); at !== -1; at = this.framer.next()) {
      assert.ok(typeof at === 'number', 'the speaker sends valid headers');
      const length = this.framer.bytes[at + 16] * 256 + this.framer.bytes[at + 17];
      const message = decodeMessage(this.framer.bytes.slice(at, at + length));
      assert.ok(!isError(message), 'the speaker sends valid messages');
      this.messages.push(message);
    }
    assert.equal(this.framer.pending, 0, 'the speaker sends whole messages');
  }

  close(lastBytes: Uint8Array | null): void {
    if (lastBytes) this.receive(lastBytes);
    this.closed = true;
  }
}

/** One peer of the speaker, played by the test. */
export class HandPeer {
  readonly address: string;
  /** The number of its connection; a new one after every `connect`. */
  id = -1;
  private readonly bench: Bench;
  private readonly as: number;
  private end: ConnectionEnd | null = null;
  /** The routes advertised to the peer, by prefix, as of the last `takeMessages`. */
  readonly routes = new Map<string, Attributes>();

  constructor(bench: Bench, address: string, as: number) {
    this.bench = bench;
    this.address = address;
    this.as = as;
  }

  /** Connects to the speaker; false when it is refused. */
  connect(): boolean {
    const id = this.bench.speaker.accepted(ip(this.address), ip(OUR_ADDRESS), this.bench.now);
    if (id !== null) this.adopt(id);
    this.bench.pump();
    return id !== null;
  }

  /** Answers the speaker's attempt to connect. */
  answer(): void {
    const at = this.bench.connects.findIndex(({ address }) => address.equals(ip(this.address)));
    assert.notEqual(at, -1, `the speaker connects to ${this.address}`);
    const [{ connection }] = this.bench.connects.splice(at, 1);
    this.adopt(connection);
    this.bench.speaker.connected(connection, ip(OUR_ADDRESS), this.bench.now);
    this.bench.pump();
  }

  private adopt(id: number): void {
    this.id = id;
    this.end = this.bench.addEnd(id);
  }

  /** Connects and establishes the session. */
  establish(open: Partial<OpenMessage> = {}): this {
    assert.ok(this.connect(), 'the speaker accepts the connection');
    this.send(this.open(open), KEEPALIVE);
    assert.equal(this.bench.status(this.address).state, 'Established');
    this.takeMessages();
    return this;
  }

  /** The peer's OPEN. */
  open(fields: Partial<OpenMessage> = {}): Uint8Array {
    const as = hex(this.as.toString(16).padStart(8, '0'));
    const capabilities = [
      { code: CapabilityCode.multiprotocol, value: hex('0001 00 01') },
      { code: CapabilityCode.routeRefresh, value: hex('') },
      { code: CapabilityCode.fourOctetAs, value: as },
    ];
    const open = {
      version: 4,
      as: Math.min(this.as, 0xffff),
      holdTime: 90,
      identifier: ip(this.address).value,
      capabilities,
      ...fields,
    };
    return encodeMessage({ type: 'open', open });
  }

  /** Sends messages, or parts of them, and runs the speaker. */
  send(...parts: Uint8Array[]): void {
    this.deliver(...parts);
    this.bench.pump();
  }

  /** Like `send`, but does not run the speaker. */
  deliver(...parts: Uint8Array[]): void {
    for (const part of parts) this.bench.speaker.received(this.id, part.slice());
  }

  /** Announces prefixes. */
  announce(prefixes: readonly string[], attributes: Partial<Attributes> = {}): void {
    const full: Attributes = { origin: 'IGP', asPath: [], nextHop: this.address, ...attributes };
    if (this.as !== OUR_AS && !attributes.asPath) full.asPath = [{ type: 'sequence', ases: [this.as] }];
    const fields = { withdrawn: hex(''), attributes: encodeAttributes(full), nlri: nlri(prefixes) };
    this.send(encodeMessage({ type: 'update', ...fields }));
  }

  withdraw(prefixes: readonly string[]): void {
    const fields = { withdrawn: nlri(prefixes), attributes: hex(''), nlri: hex('') };
    this.send(encodeMessage({ type: 'update', ...fields }));
  }

  /** The messages received since the last call; brings `routes` up to date. */
  takeMessages(): Message[] {
    const messages = this.end?.messages.splice(0) ?? [];
    for (const message of messages) {
      if (message.type !== 'update') continue;
      for (const gone of prefixesIn(message.withdrawn)) this.routes.delete(gone);
      const attributes = decodeAttributes(message.attributes);
      for (const prefix of prefixesIn(message.nlri)) this.routes.set(prefix, attributes);
    }
    return messages;
  }

  /** The messages since the last call in short: `keepalive`, `notification 6/2`, `+10.0.0.0/8`, `-10.0.0.0/8`. */
  received(): string[] {
    return this.takeMessages().flatMap((message) => {
      if (message.type === 'notification') {
        const { code, subcode } = message.notification;
        return [`notification ${code}/${subcode}`];
      }
      if (message.type !== 'update') return [message.type];
      if (message.withdrawn.length + message.nlri.length === 0) return ['end of RIB'];
      const gone = prefixesIn(message.withdrawn).map((prefix) => `-${prefix}`);
      return [...gone, ...prefixesIn(message.nlri).map((prefix) => `+${prefix}`)];
    });
  }

  /** The speaker closed the connection. */
  get closed(): boolean {
    return this.end?.closed ?? false;
  }
}

/** Prefixes in wire form. */
export function nlri(prefixes: readonly string[]): Uint8Array {
  return Buffer.concat(prefixes.map((text) => prefix(text).toNlri()));
}

function prefixesIn(bytes: Uint8Array): string[] {
  const list: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + ((bytes[at] + 7) >> 3)) {
    list.push(IPPrefix.readNlri(bytes, at, 4).toString());
  }
  return list;
}

/** The NOTIFICATION that ended the connection: there is exactly one, and it is the last message. */
export function lastNotification(peer: HandPeer): Message & { type: 'notification' } {
  const messages = peer.takeMessages();
  const notifications = messages.filter((candidate) => candidate.type === 'notification');
  assert.equal(notifications.length, 1);
  assert.equal(messages.at(-1), notifications[0]);
  assert.ok(peer.closed);
  return notifications[0];
}

/** Code and subcode of that NOTIFICATION, such as `6/2`. */
export const codesOf = (peer: HandPeer): string => {
  const { code, subcode } = lastNotification(peer).notification;
  return `${code}/${subcode}`;
};
