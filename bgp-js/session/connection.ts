import { Framer } from '../wire/frame.ts';
import { KEEPALIVE } from '../wire/message.ts';
import type { ConnectionState } from './fsm.ts';
import { buildOpen, type Negotiated, type SessionOffer } from './negotiate.ts';

/** Hold time until the OPENs are exchanged, in ms: RFC 4271 §8.2.2 suggests four minutes. */
const OPEN_HOLD_MS = 240_000;
/** RFC 9687 §3: eight minutes, or twice the hold time where that is longer. */
const SEND_HOLD_MS = 480_000;
/** Shared by all connections that have nothing to send; a change goes out to a thousand of them. */
const NONE: Uint8Array[] = [];

/**
 * One TCP connection with a peer, from its begin to its end: what was received and not yet processed, what has to be
 * sent besides UPDATEs, and the deadlines of its timers. Times are milliseconds of the caller's monotonic clock.
 */
export class Connection {
  readonly id: number;
  /** The peer began it. */
  readonly incoming: boolean;
  /** `Connecting` until TCP is there, `Closed` at the end. */
  state: 'Connecting' | ConnectionState | 'Closed' = 'Connecting';
  readonly input = new Framer();
  negotiated: Negotiated | null = null;
  /** The whole messages that go out before any UPDATE. */
  private control = NONE;
  holdDeadline = Number.POSITIVE_INFINITY;
  keepaliveDeadline = Number.POSITIVE_INFINITY;
  /** When a connection attempt is given up. */
  connectDeadline = Number.POSITIVE_INFINITY;
  /** When a peer that takes nothing from us is given up (RFC 9687). */
  sendDeadline = Number.POSITIVE_INFINITY;
  readonly offer: SessionOffer;
  private readonly random: () => number;

  constructor(id: number, incoming: boolean, offer: SessionOffer, random: () => number) {
    this.id = id;
    this.incoming = incoming;
    this.offer = offer;
    this.random = random;
  }

  /** TCP is there: sends our OPEN. */
  open(now: number): void {
    this.state = 'OpenSent';
    this.connectDeadline = Number.POSITIVE_INFINITY;
    this.holdDeadline = now + OPEN_HOLD_MS;
    this.send(buildOpen(this.offer));
  }

  /** The peer's OPEN was accepted. */
  confirm(terms: Negotiated, now: number): void {
    this.negotiated = terms;
    this.state = 'OpenConfirm';
    this.sendKeepalive(now);
    this.restartHoldTimer(now);
  }

  restartHoldTimer(now: number): void {
    const seconds = this.negotiated?.holdTime ?? 0;
    this.holdDeadline = seconds === 0 ? Number.POSITIVE_INFINITY : now + seconds * 1000;
  }

  /** Sends a KEEPALIVE and sets the timer: a third of the hold time, with the jitter of RFC 4271 §10. */
  sendKeepalive(now: number): void {
    const seconds = this.negotiated?.holdTime ?? 0;
    this.send(KEEPALIVE);
    const interval = (seconds * 1000) / 3;
    const jitter = 0.75 + 0.25 * this.random();
    this.keepaliveDeadline = seconds === 0 ? Number.POSITIVE_INFINITY : now + interval * jitter;
  }

  /** The transport has stopped to take what we send, or takes it again. */
  setBlocked(blocked: boolean, now: number): void {
    const hold = this.negotiated?.holdTime ?? 0;
    if (!blocked || hold === 0) this.sendDeadline = Number.POSITIVE_INFINITY;
    else if (this.sendDeadline === Number.POSITIVE_INFINITY) {
      this.sendDeadline = now + Math.max(SEND_HOLD_MS, 2000 * hold);
    }
  }

  send(message: Uint8Array): void {
    if (this.control === NONE) this.control = [message];
    else this.control.push(message);
  }

  /** The same, unless it waits to be sent already: a peer may ask for more than it reads. */
  sendOnce(message: Uint8Array): void {
    if (!this.control.some((waiting) => Buffer.compare(waiting, message) === 0)) this.send(message);
  }

  get hasControl(): boolean {
    return this.control.length > 0;
  }

  /** Takes the messages that are to be sent before any UPDATE. */
  takeControl(): readonly Uint8Array[] {
    const taken = this.control;
    if (taken.length > 0) this.control = NONE;
    return taken;
  }

  /** The end: nothing is sent any more. */
  close(): void {
    this.state = 'Closed';
    this.control = NONE;
  }

  /** The nearest deadline of all timers. */
  get deadline(): number {
    return Math.min(this.connectDeadline, this.keepaliveDeadline, this.holdDeadline, this.sendDeadline);
  }
}
