/**
 * Runs a speaker on TCP: the only place with sockets and with a clock. Work is done in slices of a few milliseconds
 * between which the event loop turns, so that timers, other sockets and the rest of the process never wait long.
 */
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { getSystemErrorMessage } from 'node:util';
import type { Speaker } from '../speaker.ts';
import type { SpeakerAction, SpeakerEvent } from '../speaker-types.ts';

export interface HostOptions {
  /** Where sessions are accepted; null: nowhere. */
  listen: { address: string; port: number } | null;
  /** Source address of our connections; without it the kernel chooses. */
  localAddress?: string;
  /** Called with what happened, after it happened. */
  onEvent?: (event: SpeakerEvent) => void;
  /** Called after routes may have changed, at most once a slice. */
  onWork?: () => void;
}

/** Milliseconds of work before the event loop turns. */
const SLICE_MS = 4;
/** Octets handed to a socket in one go. */
const WRITE_SIZE = 64 * 1024;
/** Octets of unprocessed input at which a socket is no longer read, and at which it is again. */
const INPUT_HIGH = 512 * 1024;
const INPUT_LOW = 128 * 1024;
/** How long a closing socket may take to deliver its farewell. */
const FAREWELL_MS = 2000;
const LISTEN_BACKLOG = 4096;

/** A TCP connection of the speaker's. */
interface Wire {
  socket: net.Socket;
  /** The kernel's buffer is full: wait for `drain`. */
  blocked: boolean;
}

export class SpeakerHost {
  readonly speaker: Speaker;
  private readonly options: HostOptions;
  private readonly wires = new Map<number, Wire>();
  /** Sockets that are being closed and still deliver their farewell. */
  private readonly closing = new Set<net.Socket>();
  private server: net.Server | null = null;
  private timer: NodeJS.Timeout | null = null;
  private scheduled = false;
  private stopped = false;
  /** The longest and the number of slices so far, for metrics; ms. */
  readonly slices = { count: 0, longestMs: 0 };

  constructor(speaker: Speaker, options: HostOptions) {
    this.speaker = speaker;
    this.options = options;
  }

  /** This clock's time, which every method of the speaker is to be given. */
  now(): number {
    return performance.now();
  }

  /** Starts to listen and to connect. Rejects when the address cannot be listened on. */
  async start(): Promise<void> {
    const { listen } = this.options;
    if (listen) this.server = await this.listen(listen.address, listen.port);
    this.wake();
  }

  /** The port that is listened on; 0 without a listener. */
  get port(): number {
    const address = this.server?.address();
    return address && typeof address === 'object' ? address.port : 0;
  }

  /** Ends all sessions with a shutdown message (RFC 9003), waits for it to be sent, and closes everything. */
  async stop(message: string): Promise<void> {
    this.speaker.shutdown(message, this.now());
    this.stopped = true;
    this.carryOut();
    if (this.timer) clearTimeout(this.timer);
    const server = this.server;
    const closed = server ? new Promise<void>((resolve) => server.close(() => resolve())) : null;
    await Promise.all(
      [...this.closing].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    );
    await closed;
  }

  /** Call after anything was changed from outside: a peer, a route of our own. */
  wake(): void {
    if (this.scheduled || this.stopped) return;
    this.scheduled = true;
    setImmediate(() => this.slice());
  }

  private listen(address: string, port: number): Promise<net.Server> {
    const server = net.createServer({ noDelay: true }, (socket) => this.accept(socket));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, backlog: LISTEN_BACKLOG }, () => {
        server.off('error', reject);
        // A failing accept() (too many open files) is not the end of the listener.
        server.on('error', (error) => this.tell(`accept: ${error.message}`));
        resolve(server);
      });
    });
  }

  private tell(reason: string): void {
    this.options.onEvent?.({ type: 'refused', address: 'listener', reason, count: 1 });
  }

  // --- slices --------------------------------------------------------------------------------------------------------

  private slice(): void {
    this.scheduled = false;
    if (this.stopped) return;
    const begin = this.now();
    const { speaker } = this;
    if (begin >= speaker.deadline) speaker.tick(begin);
    let now = begin;
    while (speaker.hasWork && now - begin < SLICE_MS) {
      speaker.work(now);
      now = this.now();
    }
    this.options.onWork?.();
    this.carryOut();
    const more = this.transmit(begin + 2 * SLICE_MS) || speaker.hasWork;
    this.resumeReaders();
    const took = this.now() - begin;
    this.slices.count++;
    if (took > this.slices.longestMs) this.slices.longestMs = took;
    if (more) this.wake();
    this.setTimer();
  }

  private setTimer(): void {
    if (this.timer) clearTimeout(this.timer);
    const { deadline } = this.speaker;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(0, Math.ceil(deadline - this.now())), 0x7fffffff);
    this.timer = setTimeout(() => this.wake(), wait);
  }

  private carryOut(): void {
    for (const action of this.speaker.actions()) {
      if (action.type === 'connect') this.connect(action);
      else this.close(action.connection, action.farewell);
    }
    for (const event of this.speaker.events()) this.options.onEvent?.(event);
  }

  /** Hands every socket what it can take; true when time ran out before all was handed over. */
  private transmit(until: number): boolean {
    let more = false;
    for (const [id, wire] of this.wires) {
      while (!wire.blocked && this.speaker.wantsToSend(id)) {
        if (this.now() > until) return true;
        const parts = this.speaker.transmit(id, WRITE_SIZE);
        if (parts.length === 0) {
          more = true;
          break;
        }
        wire.blocked = !writeAll(wire.socket, parts);
      }
    }
    return more;
  }

  private resumeReaders(): void {
    for (const [id, { socket }] of this.wires) {
      if (socket.isPaused() && this.speaker.backlog(id) < INPUT_LOW) socket.resume();
    }
  }

  // --- sockets -------------------------------------------------------------------------------------------------------

  private accept(socket: net.Socket): void {
    socket.on('error', () => socket.destroy());
    const { remoteAddress, localAddress } = socket;
    if (this.stopped || remoteAddress === undefined || localAddress === undefined) {
      socket.destroy();
      return;
    }
    const id = this.speaker.accepted(plain(remoteAddress), plain(localAddress), this.now());
    if (id === null) socket.destroy();
    else this.adopt(id, socket);
    this.wake();
  }

  private connect(action: SpeakerAction & { type: 'connect' }): void {
    const { connection, address, port } = action;
    const socket = net.connect({
      host: address,
      port,
      localAddress: this.options.localAddress,
      noDelay: true,
    });
    this.adopt(connection, socket);
    socket.once('connect', () => {
      if (!this.wires.has(connection)) return;
      this.speaker.connected(connection, plain(socket.localAddress ?? ''), this.now());
      this.wake();
    });
  }

  private adopt(id: number, socket: net.Socket): void {
    const wire: Wire = { socket, blocked: false };
    this.wires.set(id, wire);
    let reason = 'the peer closed the connection';
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.errno === undefined ? error.message : getSystemErrorMessage(error.errno);
    });
    socket.on('data', (chunk) => {
      if (this.wires.get(id) !== wire) return;
      this.speaker.received(id, chunk);
      if (this.speaker.backlog(id) > INPUT_HIGH) socket.pause();
      this.wake();
    });
    socket.on('drain', () => {
      wire.blocked = false;
      this.wake();
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      this.closing.delete(socket);
      if (this.wires.get(id) !== wire) return;
      this.wires.delete(id);
      this.lastWords(id, reason);
    });
  }

  /** What the peer sent before it closed is processed first: it may be a NOTIFICATION that says why. */
  private lastWords(id: number, reason: string): void {
    this.speaker.drainInput(id, this.now());
    this.speaker.disconnected(id, reason, this.now());
    this.wake();
  }

  private close(id: number, farewell: Uint8Array | null): void {
    const wire = this.wires.get(id);
    if (!wire) return;
    this.wires.delete(id);
    const { socket } = wire;
    if (!farewell || socket.connecting) {
      socket.destroy();
      return;
    }
    this.closing.add(socket);
    socket.end(farewell);
    // Input that nobody reads would turn the close into a reset, and the farewell would be lost.
    socket.resume();
    setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
  }
}

function writeAll(socket: net.Socket, parts: Uint8Array[]): boolean {
  if (parts.length === 1) return socket.write(parts[0]);
  socket.cork();
  let room = true;
  for (const part of parts) room = socket.write(part);
  socket.uncork();
  return room;
}

/** An IPv4 address that a dual-stack socket shows as ::ffff:a.b.c.d, in its plain form. */
function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
