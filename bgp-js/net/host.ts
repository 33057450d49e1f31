/**
 * Runs a speaker on TCP. Only this folder of the library uses sockets and clocks.
 *
 * ## How one thread's time is shared
 *
 * One thread does all of BGP. A full table takes seconds to read and to send, a thousand sessions may end in the same
 * millisecond, and all the while keepalives have to go out and hold timers must not expire. Processing all input at
 * once would starve timers and the other sockets. Processing a small fixed piece for each event would spend most of the
 * time in the event loop. So a host works in slices of a few milliseconds and returns to the event loop between them:
 *
 * 1. Node calls `onData` for each readable socket. It only queues the bytes (`Speaker.received`) and wakes the host. A
 *    socket with more than INPUT_HIGH octets unprocessed is paused until `resumeReaders`.
 * 2. `wake` schedules `runSlice` with setImmediate, which runs after this turn's sockets and before the next timers.
 * 3. `runSlice` has `sliceMs` for input: `Speaker.tick` runs the timers that are due, then `Speaker.work` processes
 *    input and background work in pieces of about a millisecond, and reads the clock between them. Handshakes come first.
 * 4. `processResults` performs the speaker's actions (connect, close), tears down ended connections and reports events.
 *    `Sender.send` then writes output. Both stop after OUTPUT_SLICES times `sliceMs`. `DeferredQueue` and `Sender` keep
 *    the rest in order, and it comes first in the next slice.
 * 5. If work or output is left, the next slice runs after one turn of the event loop. Only an idle host recycles ids of
 *    the RIB (`reclaim`). `setTimer` arms a timer for the speaker's next deadline.
 *
 * Output gets more time than input for two reasons: a change should reach all peers in one slice if possible, and more
 * input would only produce more output.
 *
 * All deadlines are read from `performance.now`, the monotonic clock: a step of the wall clock ends no session.
 */
import type net from 'node:net';
import { performance } from 'node:perf_hooks';
import { isDeepStrictEqual } from 'node:util';
import { type AddressInput, addressFrom, type IPAddress, parseAddress } from '../ip/index.ts';
import type { TransportConfig } from '../session/peer-config.ts';
import type { Speaker } from '../speaker/speaker.ts';
import type { SpeakerAction, SpeakerEvent } from '../speaker/speaker-types.ts';
import { reserveDescriptors } from './descriptors.ts';
import { systemErrorText } from './libc.ts';
import { type ListenAddress, Listener } from './listener.ts';
import type { LivenessMonitor } from './liveness.ts';
import { NeighbourDiscoveries } from './neighbour-discovery.ts';
import { LingeringSockets, PeerSocket } from './peer-socket.ts';
import { Sender } from './sender.ts';
import { DeferredQueue, SliceTimes } from './slices.ts';
import { dial, refusalOf, updateTransport } from './transport.ts';

/** Milliseconds of input and background work in a slice. */
const SLICE_MS = 1.25;
/** Results and output may take this multiple of that time. */
const OUTPUT_SLICES = 3;
/** Octets of unprocessed input above which reading from a socket pauses, and below which it resumes. */
const INPUT_HIGH = 256 * 1024;
const INPUT_LOW = 64 * 1024;
const PEER_CLOSED = 'the peer closed the connection';

/** {@link ListenAddress} with the address as text or value. */
export interface ListenOptions extends Omit<ListenAddress, 'address'> {
  address: AddressInput;
}

/** Where and how a speaker runs on TCP. */
export interface HostOptions {
  /** Where connections are accepted; null or an empty list: nowhere. */
  listen: ListenOptions | readonly ListenOptions[] | null;
  /** Source addresses of our connections, the first of the peer's family; by default the kernel chooses. */
  localAddress?: AddressInput | readonly AddressInput[];
  /** Congestion control of the connections, by the kernel's name for it; by default the host's. */
  congestionControl?: string;
  /** Reserves descriptors for thousands of connections when the first one arrives (descriptors.ts); false by default. */
  reserveDescriptors?: boolean;
  /** Milliseconds of input per slice, by default 1.25; output may take three times as long. */
  sliceMs?: number;
  /** Monitors that end sessions with unreachable peers before their hold timers do. */
  livenessMonitors?: readonly LivenessMonitor[];
  /** Called with each event after it happened. */
  onEvent?: (event: SpeakerEvent) => void;
  /** Called after routes may have changed, at most once per slice. */
  onWork?: () => void;
}

/** A connection that has ended, and why. */
interface Ended {
  connection: PeerSocket;
  reason: string;
}

export class SpeakerHost {
  readonly speaker: Speaker;
  /** How long slices took so far. */
  readonly slices = new SliceTimes();
  private readonly options: HostOptions;
  private readonly localAddresses: readonly IPAddress[];
  private readonly sliceMs: number;
  private readonly connections = new Map<number, PeerSocket>();
  /** Ids of connections whose reading is paused because too much of their input is unprocessed. */
  private readonly paused = new Set<number>();
  private readonly sender: Sender<PeerSocket>;
  private readonly lingering = new LingeringSockets();
  private listeners: Listener[] = [];
  private readonly monitors: readonly LivenessMonitor[];
  /** Connections that ended since the last slice. */
  private readonly ended: Ended[] = [];
  private readonly actions = new DeferredQueue<SpeakerAction>((action) => this.perform(action));
  private readonly teardowns = new DeferredQueue<Ended>((ended) => this.tearDown(ended));
  private readonly events = new DeferredQueue<SpeakerEvent>((event) => this.options.onEvent?.(event));
  /** The value of `PeerTable.configChanges` when the socket options were last applied. */
  private appliedConfigChanges = -1;
  /** The value of `PeerTable.peerChanges` when the liveness monitors were last updated. */
  private monitoredPeerChanges = -1;
  private timer: NodeJS.Timeout | null = null;
  /** The speaker's next deadline as of the last slice, in ms. */
  private deadline = 0;
  private isScheduled = false;
  private isStopped = false;

  constructor(speaker: Speaker, options: HostOptions) {
    this.speaker = speaker;
    this.options = options;
    this.localAddresses = [options.localAddress ?? []]
      .flat()
      .map((address) => addressFrom(address, 'localAddress'))
      .filter((address) => !address.isUnspecified);
    this.sliceMs = options.sliceMs ?? SLICE_MS;
    this.sender = new Sender(({ id }) => speaker.blocked(id, true, this.now()));
    const discoveries = new NeighbourDiscoveries(
      (name, address) => {
        this.speaker.neighbourFound(name, address, this.now());
        this.wake();
      },
      (name, text) => this.report(name, text),
    );
    this.monitors = [discoveries, ...(options.livenessMonitors ?? [])];
    for (const monitor of this.monitors) {
      monitor.onDown = (peer, reason) => {
        this.speaker.peerUnreachable(peer, reason, this.now());
        this.wake();
      };
    }
  }

  /** The time in ms of the monotonic clock, which every method of the speaker takes as `now`. */
  now(): number {
    return performance.now();
  }

  /** Starts to listen and to connect. Rejects if it cannot listen on an address or set a socket option. */
  async start(): Promise<void> {
    const { listen } = this.options;
    const options = listen === null ? [] : 'address' in listen ? [listen] : listen;
    const addresses = options.map((at) => ({ ...at, address: addressFrom(at.address, 'listen') }));
    try {
      for (const at of addresses) this.listeners.push(await this.openListener(at, addresses));
    } catch (error) {
      await Promise.all(this.listeners.map((listener) => listener.close()));
      throw error;
    }
    this.wake();
  }

  /** The port of the first listener; 0 without one. */
  get port(): number {
    return this.listeners.at(0)?.port ?? 0;
  }

  /** Where connections are accepted, as `10.0.0.1:179` or `[2001:db8::1]:179`. */
  get endpoints(): string[] {
    return this.listeners.map(({ endpoint }) => endpoint);
  }

  /**
   * Ends all sessions with a shutdown message (RFC 9003), waits until it is delivered, and closes everything. With null
   * the connections close without a NOTIFICATION, so that peers keep our routes over a restart (RFC 4724 §4).
   */
  async stop(message: string | null): Promise<void> {
    if (message === null) this.speaker.closeForRestart(this.now());
    else this.speaker.shutdown(message, this.now());
    this.isStopped = true;
    this.processResults(() => false);
    if (this.timer) clearTimeout(this.timer);
    for (const monitor of this.monitors) monitor.follow([]);
    const closed = Promise.all(this.listeners.map((listener) => listener.close()));
    await this.lingering.closed();
    await closed;
  }

  /** Schedules a slice. Call after any external change, such as of a peer or of an originated route. */
  wake(): void {
    this.sender.noteOutput();
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled || this.isStopped) return;
    this.isScheduled = true;
    setImmediate(() => this.runSlice());
  }

  private report(peer: string, text: string): void {
    this.options.onEvent?.({ type: 'transport', peer, text });
  }

  // --- slices --------------------------------------------------------------------------------------------------------

  private runSlice(): void {
    this.isScheduled = false;
    if (this.isStopped) return;
    let now = this.now();
    // The slice began with the first input of this turn of the event loop.
    const inputEnd = this.slices.begin(now) + this.sliceMs;
    const { speaker } = this;
    this.applyConfigurations();
    if (now >= this.deadline) {
      speaker.tick(now);
      this.sender.noteOutput();
    }
    for (let more = speaker.hasWork; more; more = speaker.hasWork && now < inputEnd) {
      speaker.work(now);
      now = this.now();
    }
    this.options.onWork?.();
    const isTimeUp = (): boolean => this.now() > inputEnd + OUTPUT_SLICES * this.sliceMs;
    const isProcessed = this.processResults(isTimeUp);
    this.updateMonitors();
    const isSent = !this.sender.send(this.connections.values(), isTimeUp);
    if (speaker.hasWork) this.wake();
    else if (!isProcessed || !isSent || !this.reclaim(inputEnd)) this.schedule();
    this.resumeReaders();
    this.slices.end(this.now());
    this.setTimer();
  }

  /** Performs actions, tears down ended connections and reports events. Returns false if some have to wait. */
  private processResults(isTimeUp: () => boolean): boolean {
    const isPerformed = this.actions.handle(this.speaker.actions(), isTimeUp);
    const isTornDown = this.teardowns.handle(this.ended.splice(0), isTimeUp);
    return this.events.handle(this.speaker.events(), isTimeUp) && isPerformed && isTornDown;
  }

  /** Recycles unused ids of the RIB until `end`, at least one piece. Returns false if more are left. */
  private reclaim(end: number): boolean {
    const { routing } = this.speaker;
    while (routing.hasUnused) {
      routing.reclaim();
      if (routing.hasUnused && this.now() >= end) return false;
    }
    return true;
  }

  private setTimer(): void {
    if (this.isStopped) return;
    const { deadline } = this.speaker;
    if (this.timer && deadline === this.deadline) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.deadline = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(Math.max(0, Math.ceil(deadline - this.now())), 0x7fffffff);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.wake();
    }, delay);
  }

  private perform(action: SpeakerAction): void {
    if (action.type === 'connect') this.connect(action);
    else this.close(action.connection, action.lastBytes);
  }

  private resumeReaders(): void {
    for (const id of this.paused) {
      if (this.speaker.backlog(id) >= INPUT_LOW) continue;
      this.paused.delete(id);
      this.connections.get(id)?.socket.resume();
    }
  }

  // --- socket options ------------------------------------------------------------------------------------------------

  /** `::` accepts IPv4 as well, unless another listener has the port for IPv4. */
  private openListener(at: ListenAddress, all: readonly ListenAddress[]): Promise<Listener> {
    const { congestionControl } = this.options;
    const hasIPv4 = all.some(({ address, port }) => address.version === 4 && port === at.port);
    const isDualStack = at.address.version === 6 && at.address.isUnspecified;
    return Listener.open(
      { ipv6Only: isDualStack && hasIPv4, congestionControl, ...at },
      this.speaker.peers,
      (socket, listener) => this.accept(socket, listener),
      (text) => this.report('listener', text),
    );
  }

  /** Updates the socket options after the peers' configurations have changed. */
  private applyConfigurations(): void {
    const { peers } = this.speaker;
    if (this.appliedConfigChanges === peers.configChanges) return;
    this.appliedConfigChanges = peers.configChanges;
    for (const listener of this.listeners) this.reportFailure('listener', () => listener.update(peers));
    for (const connection of this.connections.values()) this.applyTransport(connection);
  }

  /** Passes the current peers to the liveness monitors if one was added, removed or changed. */
  private updateMonitors(): void {
    const { peers } = this.speaker;
    if (this.monitoredPeerChanges === peers.peerChanges) return;
    this.monitoredPeerChanges = peers.peerChanges;
    for (const monitor of this.monitors) monitor.follow(peers);
  }

  private applyTransport(connection: PeerSocket): void {
    const { id, socket, closed } = connection;
    const peer = this.speaker.peerOf(id);
    if (!peer || closed || socket.connecting) return;
    const { transport = {} } = peer.config;
    if (isDeepStrictEqual(transport, connection.transport)) return;
    this.reportFailure(peer.name, () => updateTransport(socket, transport, connection.transport));
    connection.transport = transport;
  }

  /** Runs `setOptions` and reports its error, if any, as an event of the peer. */
  private reportFailure(peer: string, setOptions: () => void): void {
    try {
      setOptions();
    } catch (error) {
      this.report(peer, error instanceof Error ? error.message : String(error));
    }
  }

  // --- connections ---------------------------------------------------------------------------------------------------

  private accept(socket: net.Socket, listener: Listener): void {
    socket.on('error', () => socket.destroy());
    const remote = parseAddress(socket.remoteAddress ?? '');
    const local = parseAddress(socket.localAddress ?? '');
    if (this.isStopped || !remote || !local) {
      socket.destroy();
      return;
    }
    this.slices.begin(this.now());
    if (this.options.reserveDescriptors) reserveDescriptors();
    this.tearDownEnded(this.speaker.peers.at(remote)?.established?.id);
    const transport = this.speaker.peers.configFor(remote)?.transport ?? {};
    const refusal = refusalOf(socket, listener.family, transport);
    const id =
      refusal === null
        ? this.speaker.accepted(remote, local, this.now())
        : this.speaker.refuse(remote, refusal);
    if (id === null) socket.destroy();
    else this.add(id, socket, transport);
    this.wake();
  }

  private connect(action: SpeakerAction & { type: 'connect' }): void {
    const { connection: id, address, port, peer } = action;
    const { congestionControl } = this.options;
    const { localAddresses } = this;
    const transport = peer.transport ?? {};
    const socket = dial({ address, port, transport, localAddresses, congestionControl });
    this.add(id, socket, transport);
    socket.once('connect', () => {
      const connection = this.connections.get(id);
      const local = parseAddress(socket.localAddress ?? '');
      // A socket without a local address is already closed; its `close` event follows.
      if (!connection || !local) return;
      this.applyTransport(connection);
      this.speaker.connected(id, local, this.now());
      this.wake();
    });
  }

  private add(id: number, socket: net.Socket, transport: TransportConfig): void {
    const peerConnection = this.speaker.connectionOf(id);
    if (!peerConnection) {
      socket.destroy();
      return;
    }
    const connection = new PeerSocket(id, socket, transport, peerConnection);
    this.connections.set(id, connection);
    let reason = PEER_CLOSED;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.errno === undefined ? error.message : systemErrorText(error.errno);
    });
    socket.on('data', (chunk) => this.onData(connection, chunk));
    socket.on('drain', () => {
      connection.blocked = false;
      this.speaker.blocked(id, false, this.now());
      this.wake();
    });
    socket.on('end', () => this.onEnded(connection, PEER_CLOSED));
    socket.on('close', () => this.onEnded(connection, reason));
  }

  private onData(connection: PeerSocket, chunk: Uint8Array): void {
    const { id, socket } = connection;
    if (this.connections.get(id) !== connection) return;
    this.slices.begin(this.now());
    this.speaker.received(id, chunk);
    if (this.speaker.backlog(id) > INPUT_HIGH) {
      this.paused.add(id);
      socket.pause();
    }
    this.wake();
  }

  /** Records that a connection was closed or has failed. `tearDown` ends its session in a slice. */
  private onEnded(connection: PeerSocket, reason: string): void {
    if (this.isStopped) connection.socket.destroy();
    if (this.isStopped || connection.closed) return;
    this.slices.begin(this.now());
    // The peer would answer further output with a TCP reset.
    connection.closed = true;
    this.ended.push({ connection, reason });
    this.schedule();
  }

  /** Ends the session of a closed connection. Processes its input first: a NOTIFICATION may give the reason. */
  private tearDown({ connection, reason }: Ended): void {
    const { id, socket } = connection;
    socket.destroy();
    if (!this.release(connection)) return;
    this.speaker.drainInput(id, this.now());
    this.speaker.disconnected(id, reason, this.now());
    this.wake();
  }

  /** Tears down the peer's old connection if it has ended, because the peer has reconnected. */
  private tearDownEnded(id: number | undefined): void {
    const connection = id === undefined ? undefined : this.connections.get(id);
    if (connection?.closed) this.tearDown({ connection, reason: PEER_CLOSED });
  }

  /** Closes a connection that the speaker has ended, after sending `lastBytes`. */
  private close(id: number, lastBytes: Uint8Array | null): void {
    const connection = this.connections.get(id);
    if (!connection) return;
    this.release(connection);
    this.lingering.close(connection.socket, lastBytes);
  }

  /** Removes a connection from the host; false when it was removed before. */
  private release(connection: PeerSocket): boolean {
    const { id } = connection;
    if (this.connections.get(id) !== connection) return false;
    connection.closed = true;
    this.connections.delete(id);
    this.paused.delete(id);
    return true;
  }
}
