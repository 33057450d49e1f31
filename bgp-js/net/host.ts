/**
 * Runs a speaker on TCP: the only place with sockets and with a clock. Work is done in slices of a few milliseconds
 * between which the event loop turns, so that timers, other sockets and the rest of the process never wait long.
 */
import type net from 'node:net';
import { performance } from 'node:perf_hooks';
import { getSystemErrorMessage } from 'node:util';
import type { TransportConfig } from '../session/peer-config.ts';
import type { Speaker } from '../speaker/speaker.ts';
import type { SpeakerAction, SpeakerEvent } from '../speaker/speaker-types.ts';
import { canonicalAddress } from '../wire/address.ts';
import { DeferredQueue } from './deferred-queue.ts';
import { reserveDescriptors } from './descriptors.ts';
import { Discoveries } from './discoveries.ts';
import { DEFAULT_HOST_OPTIONS, type HostOptions } from './host-options.ts';
import { LingeringSockets } from './lingering-sockets.ts';
import { type ListenAddress, Listener, validate } from './listener.ts';
import { PeerSocket } from './peer-socket.ts';
import { Remains } from './remains.ts';
import { Sender } from './sender.ts';
import { SliceTimes } from './slice-times.ts';
import { adjust, dial } from './transport.ts';

const SLICE_MS = 1.25;
/** Output may take so many times as long as work: a change should reach a thousand peers in one go. */
const OUTPUT = 3;
const PEER_CLOSED = 'the peer closed the connection';
/** Octets of unprocessed input at which a socket is no longer read, and at which it is again. */
const INPUT_HIGH = 256 * 1024;
const INPUT_LOW = 64 * 1024;

/** A connection that its peer has ended, or that has failed, and why. */
interface Ended {
  wire: PeerSocket;
  reason: string;
}

export class SpeakerHost {
  readonly speaker: Speaker;
  private readonly options: HostOptions;
  private readonly wires = new Map<number, PeerSocket>();
  /** Connections that are not read because too much of their input waits. */
  private readonly paused = new Set<number>();
  private readonly sender: Sender<PeerSocket>;
  private readonly sliceMs: number;
  private readonly farewells = new LingeringSockets();
  private readonly remains: Remains;
  /** What has ended since the last slice. */
  private readonly ended: Ended[] = [];
  private listeners: Listener[] = [];
  private readonly actions = new DeferredQueue<SpeakerAction>((action) => this.act(action));
  private readonly hangUps = new DeferredQueue<Ended>((ended) => this.finish(ended));
  private readonly events = new DeferredQueue<SpeakerEvent>((event) => this.options.onEvent?.(event));
  private readonly discoveries = new Discoveries({
    found: (name, address) => {
      this.speaker.neighbourFound(name, address, this.now());
      this.wake();
    },
    failed: (name, text) => this.tell(name, text),
  });
  /** The state of the peers' configurations that the sockets follow. */
  private configured = -1;
  private timer: NodeJS.Timeout | null = null;
  /** When the speaker's timers are next due, as of the last slice; ms. */
  private deadline = 0;
  private scheduled = false;
  private stopped = false;
  /** How long slices took so far. */
  readonly slices = new SliceTimes();

  constructor(speaker: Speaker, options: HostOptions) {
    this.speaker = speaker;
    this.options = { ...DEFAULT_HOST_OPTIONS, ...options };
    this.sliceMs = options.sliceMs ?? SLICE_MS;
    this.remains = new Remains(speaker.routing, () => this.now(), options.collect);
    this.sender = new Sender(({ id }) => speaker.blocked(id, true, this.now()));
  }

  /** This clock's time, which every method of the speaker is to be given. */
  now(): number {
    return performance.now();
  }

  /** Starts to listen and to connect. Rejects when an address cannot be listened on or a peer's option be set. */
  async start(): Promise<void> {
    const { listen } = this.options;
    const addresses = listen === null ? [] : 'address' in listen ? [listen] : listen;
    reserveDescriptors();
    try {
      for (const at of addresses) this.listeners.push(await this.listen(at, addresses));
    } catch (error) {
      await Promise.all(this.listeners.map((listener) => listener.close()));
      throw error;
    }
    this.wake();
  }

  /** The port that is listened on, of several addresses that of the first; 0 without a listener. */
  get port(): number {
    return this.listeners.at(0)?.port ?? 0;
  }

  /**
   * Ends all sessions with a shutdown message (RFC 9003), waits for it to be sent, and closes everything. Null: without
   * a word, for a restart over which the peers keep our routes (RFC 4724 §4).
   */
  async stop(message: string | null): Promise<void> {
    if (message === null) this.speaker.closeForRestart(this.now());
    else this.speaker.shutdown(message, this.now());
    this.stopped = true;
    this.carryOut(() => false);
    if (this.timer) clearTimeout(this.timer);
    this.discoveries.follow([]);
    const closed = Promise.all(this.listeners.map((listener) => listener.close()));
    await this.farewells.over();
    await closed;
  }

  /** Call after anything was changed from outside: a peer, a route of our own. */
  wake(): void {
    this.sender.noteOutput();
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.stopped) return;
    this.scheduled = true;
    setImmediate(() => this.slice());
  }

  /** `::` takes IPv4 as well, unless another listener does. */
  private listen(at: ListenAddress, all: readonly ListenAddress[]): Promise<Listener> {
    const { congestionControl } = this.options;
    const shared = all.some(({ address, port }) => !address.includes(':') && port === at.port);
    return Listener.open(
      { ipv6Only: at.address === '::' && shared, congestionControl, ...at },
      this.speaker.peers,
      (socket, listener) => this.accept(socket, listener),
      (text) => this.tell('listener', text),
    );
  }

  private tell(peer: string, text: string): void {
    this.options.onEvent?.({ type: 'transport', peer, text });
  }

  /** Runs what sets options of sockets; what goes wrong is told. */
  private attempt(peer: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.tell(peer, error instanceof Error ? error.message : String(error));
    }
  }

  /** Has the sockets follow the peers' configurations. */
  private follow(): void {
    const { peers } = this.speaker;
    if (this.configured === peers.changes) return;
    this.configured = peers.changes;
    for (const listener of this.listeners) this.attempt('listener', () => listener.update(peers));
    for (const [id, wire] of this.wires) this.adjust(id, wire);
    this.discoveries.follow(peers.interfaces());
  }

  private adjust(id: number, wire: PeerSocket): void {
    const peer = this.speaker.peerOf(id);
    if (!peer || wire.closed || wire.socket.connecting) return;
    const { transport = {} } = peer.config;
    this.attempt(peer.name, () => adjust(wire.socket, transport, wire.transport));
    wire.transport = transport;
  }

  // --- slices --------------------------------------------------------------------------------------------------------

  private slice(): void {
    this.scheduled = false;
    if (this.stopped) return;
    let now = this.now();
    // What came before it in this turn of the event loop is part of it.
    const half = this.slices.begin(now) + this.sliceMs;
    const { speaker } = this;
    this.follow();
    if (now >= this.deadline) {
      speaker.tick(now);
      this.sender.noteOutput();
    }
    for (let more = speaker.hasWork; more; more = speaker.hasWork && now < half) {
      speaker.work(now);
      now = this.now();
    }
    this.options.onWork?.();
    const isTimeUp = (): boolean => this.now() > half + OUTPUT * this.sliceMs;
    const isDone = this.carryOut(isTimeUp);
    const isSent = !this.sender.send(this.wires, isTimeUp);
    if (speaker.hasWork) this.wake();
    else if (!isSent || !isDone || !this.remains.clear(half)) this.schedule();
    this.resumeReaders();
    this.slices.end(this.now());
    this.setTimer();
  }

  private setTimer(): void {
    if (this.stopped) return;
    const { deadline } = this.speaker;
    if (this.timer && deadline === this.deadline) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.deadline = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(0, Math.ceil(deadline - this.now())), 0x7fffffff);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.wake();
    }, wait);
  }

  /** Does and tells what the speaker wants, a part at least; false when the rest waits for the next slice. */
  private carryOut(isTimeUp: () => boolean): boolean {
    const acted = this.actions.handle(this.speaker.actions(), isTimeUp);
    const closed = this.hangUps.handle(this.ended.splice(0), isTimeUp);
    return this.events.handle(this.speaker.events(), isTimeUp) && acted && closed;
  }

  private act(action: SpeakerAction): void {
    if (action.type === 'connect') this.connect(action);
    else this.close(action.connection, action.lastBytes);
  }

  private resumeReaders(): void {
    for (const id of this.paused) {
      if (this.speaker.backlog(id) >= INPUT_LOW) continue;
      this.paused.delete(id);
      this.wires.get(id)?.socket.resume();
    }
  }

  // --- sockets -------------------------------------------------------------------------------------------------------

  private accept(socket: net.Socket, listener: Listener): void {
    socket.on('error', () => socket.destroy());
    const { remoteAddress, localAddress } = socket;
    if (this.stopped || remoteAddress === undefined || localAddress === undefined) {
      socket.destroy();
      return;
    }
    this.slices.begin(this.now());
    const remote = canonicalAddress(remoteAddress) ?? remoteAddress;
    this.finishEnded(this.speaker.peers.at(remote)?.established?.id);
    const transport = this.speaker.peers.configFor(remote)?.transport ?? {};
    const refusal = validate(socket, listener.family, transport);
    const id =
      refusal === null
        ? this.speaker.accepted(remote, localAddress, this.now())
        : this.speaker.refuse(remote, refusal);
    if (id === null) socket.destroy();
    else this.adopt(id, socket, transport);
    this.wake();
  }

  private connect(action: SpeakerAction & { type: 'connect' }): void {
    const { connection, address, port, peer } = action;
    const { localAddress, congestionControl } = this.options;
    const transport = peer.transport ?? {};
    const socket = dial({ address, port, transport, localAddress, congestionControl });
    this.adopt(connection, socket, transport);
    socket.once('connect', () => {
      const wire = this.wires.get(connection);
      if (!wire) return;
      this.adjust(connection, wire);
      this.speaker.connected(connection, socket.localAddress ?? '', this.now());
      this.wake();
    });
  }

  private adopt(id: number, socket: net.Socket, transport: TransportConfig): void {
    const wire = new PeerSocket(id, socket, transport, this.speaker.connectionOf(id) ?? null);
    this.wires.set(id, wire);
    let reason = PEER_CLOSED;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.errno === undefined ? error.message : getSystemErrorMessage(error.errno);
    });
    socket.on('data', (chunk) => {
      if (this.wires.get(id) !== wire) return;
      this.slices.begin(this.now());
      this.speaker.received(id, chunk);
      if (this.speaker.backlog(id) > INPUT_HIGH) {
        this.paused.add(id);
        socket.pause();
      }
      this.wake();
    });
    socket.on('drain', () => {
      wire.blocked = false;
      this.speaker.blocked(id, false, this.now());
      this.wake();
    });
    socket.on('end', () => this.hangUp(wire, PEER_CLOSED));
    socket.on('close', () => this.hangUp(wire, reason));
  }

  /** The connection has ended. To take leave of a session takes a while, and a thousand peers may go at once. */
  private hangUp(wire: PeerSocket, reason: string): void {
    if (this.stopped) wire.socket.destroy();
    if (this.stopped || wire.closed) return;
    this.slices.begin(this.now());
    // What is left to be sent has nobody to read it, and would be answered with a reset.
    wire.closed = true;
    this.ended.push({ wire, reason });
    this.schedule();
  }

  /** What the peer sent before is processed first: it may be a NOTIFICATION that says why. */
  private finish({ wire, reason }: Ended): void {
    const { id, socket } = wire;
    socket.destroy();
    if (!this.forget(wire)) return;
    this.speaker.drainInput(id, this.now());
    this.speaker.disconnected(id, reason, this.now());
    this.wake();
  }

  /** A peer whose connection has ended is back before that one's turn came. */
  private finishEnded(id: number | undefined): void {
    const wire = id === undefined ? undefined : this.wires.get(id);
    if (wire?.closed) this.finish({ wire, reason: PEER_CLOSED });
  }

  private close(id: number, lastBytes: Uint8Array | null): void {
    const wire = this.wires.get(id);
    if (!wire) return;
    this.forget(wire);
    this.farewells.close(wire.socket, lastBytes);
  }

  /** A connection is no longer the speaker's; false when it was not before. */
  private forget(wire: PeerSocket): boolean {
    const { id } = wire;
    if (this.wires.get(id) !== wire) return false;
    wire.closed = true;
    this.wires.delete(id);
    this.paused.delete(id);
    this.remains.leave();
    return true;
  }
}
