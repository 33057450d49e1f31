/** A speaker that a test feeds by hand under virtual time, without sockets or delays. Its peers are FarEnds. */
import { addressFrom } from 'bgp-js/ip';
import type { PeerConfig } from 'bgp-js/session/peer-config.ts';
import { Speaker } from 'bgp-js/speaker/speaker.ts';
import type { SpeakerAction, SpeakerEvent, SpeakerOptions } from 'bgp-js/speaker/speaker-types.ts';
import { FarEnd, greeting } from './far-end.ts';
import { seededRandom } from './random.ts';

/** A connection of the bench: its id at the speaker, and the test's end. */
export interface BenchConnection {
  id: number;
  end: FarEnd;
}

/** The speaker's address on every connection. */
const OUR_ADDRESS = addressFrom('10.0.0.1', 'local');

/** How many events are kept, so that a long run does not grow. */
const EVENTS_KEPT = 200;

export class Bench {
  readonly speaker: Speaker;
  /** Virtual time in ms. */
  now = 0;
  /** The last events, newest last. */
  readonly events: SpeakerEvent[] = [];
  /** Connections that the speaker asked to open. */
  readonly attempts: (SpeakerAction & { type: 'connect' })[] = [];
  private readonly ends = new Map<number, FarEnd>();

  constructor(config: SpeakerOptions, seed = 1) {
    this.speaker = new Speaker(config, seededRandom(seed));
  }

  /** Configures a peer that connects to the speaker. */
  addPeer(config: PeerConfig): void {
    this.speaker.addPeer(config, this.now);
  }

  /** A peer connects from `address`; null when it is refused. */
  connect(address: string): BenchConnection | null {
    const id = this.speaker.accepted(addressFrom(address, 'peer'), OUR_ADDRESS, this.now);
    return id === null ? null : this.adopt(id);
  }

  /** Accepts the speaker's attempt to connect. */
  answer(attempt: SpeakerAction & { type: 'connect' }): BenchConnection {
    this.speaker.connected(attempt.connection, OUR_ADDRESS, this.now);
    return this.adopt(attempt.connection);
  }

  private adopt(id: number): BenchConnection {
    const end = new FarEnd();
    this.ends.set(id, end);
    this.settle();
    return { id, end };
  }

  /** Breaks the connection without a NOTIFICATION. */
  drop({ id, end }: BenchConnection): void {
    end.closed = true;
    this.ends.delete(id);
    this.speaker.disconnected(id, 'the peer closed the connection', this.now);
    this.settle();
  }

  /** Connects and sends OPEN and KEEPALIVE. Throws when the peer is refused. */
  establish(address: string, open: Uint8Array): BenchConnection {
    const connection = this.connect(address);
    if (!connection) throw new Error(`${address} was refused`);
    this.send(connection, greeting(open));
    return connection;
  }

  /** Delivers the bytes, which then belong to the speaker, and runs all its work. */
  send(connection: BenchConnection, bytes: Uint8Array): void {
    this.speaker.received(connection.id, bytes);
    this.settle();
  }

  /** Advances virtual time by `ms`; every timer runs at its time. */
  wait(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      this.settle();
      const next = this.speaker.deadline;
      if (next > until) break;
      this.now = Math.max(this.now, next);
      this.speaker.tick(this.now);
    }
    this.now = until;
  }

  /** Runs the speaker until it has no work left at the current time. */
  settle(): void {
    const { speaker } = this;
    for (let busy = true; busy; ) {
      busy = speaker.hasWork;
      if (busy) speaker.work(this.now);
      else speaker.routing.reclaim();
      for (const action of speaker.actions()) {
        busy = true;
        this.carryOut(action);
      }
      for (const event of speaker.events()) this.note(event);
      for (const id of [...speaker.connections()]) busy = this.transmit(id) || busy;
    }
  }

  private transmit(id: number): boolean {
    const end = this.ends.get(id);
    if (!end || !this.speaker.wantsToSend(id)) return false;
    const parts = this.speaker.transmit(id, 65536);
    for (const part of parts) end.take(part);
    return parts.length > 0;
  }

  private carryOut(action: SpeakerAction): void {
    if (action.type === 'connect') {
      this.attempts.push(action);
      return;
    }
    if (action.type !== 'close') return;
    const end = this.ends.get(action.connection);
    if (!end) return;
    if (action.lastBytes) end.take(action.lastBytes);
    end.closed = true;
    this.ends.delete(action.connection);
  }

  private note(event: SpeakerEvent): void {
    this.events.push(event);
    if (this.events.length > EVENTS_KEPT) this.events.shift();
  }
}
