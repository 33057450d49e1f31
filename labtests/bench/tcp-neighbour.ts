/** A client of a reflector on TCP, light enough for a thousand in one process. */
import { once } from 'node:events';
import net from 'node:net';
import { addressFrom } from 'bgp-js/ip';
import { MessageType } from 'bgp-js/wire';
import { greeting, openBytes } from 'bgp-js-testing';
import { RouteListener } from './listener.ts';
import type { RouteSpace } from './routes.ts';

/** Where the reflector listens, and its AS. */
export interface TcpTarget {
  address: string;
  port: number;
  as: number;
}

/** The hold time that clients propose, in seconds. */
const HOLD_TIME = 90;
const CONNECT_LIMIT_MS = 30_000;

export class TcpNeighbour {
  /** The address it connects from. */
  readonly address: string;
  /** The next hop of its routes and its BGP identifier. */
  readonly routerId: string;
  readonly listener: RouteListener;
  /** Whether its session is Established. */
  established = false;
  /** When it came up, on the clock of performance.now. */
  establishedAt = 0;
  /** How often it lost a session that it did not close itself, and why the last time. */
  losses = 0;
  lastLoss = '';
  private readonly target: TcpTarget;
  private socket: net.Socket | null = null;
  private keepalives: NodeJS.Timeout | null = null;

  /** `index` numbers the clients; `network` is the first half of their addresses, such as "127.80". */
  constructor(index: number, network: string, target: TcpTarget, space: RouteSpace) {
    const host = index + 256;
    this.address = `${network}.${host >> 8}.${host & 255}`;
    this.routerId = `10.201.${host >> 8}.${host & 255}`;
    this.target = target;
    this.listener = new RouteListener(space);
  }

  /** Brings the session up. Rejects when that fails. */
  async connect(): Promise<void> {
    const { address: host, port, as } = this.target;
    const socket = net.connect({ host, port, localAddress: this.address, noDelay: true });
    this.socket = socket;
    this.listener.reset();
    socket.on('error', (error) => {
      this.lastLoss = error.message;
    });
    socket.on('close', () => this.closed(socket));
    const up = new Promise<void>((resolve, reject) => {
      socket.once('close', () =>
        reject(new Error(`${this.address}: the session did not come up: ${this.lastLoss}`)),
      );
      this.listener.onMessage = (type, bytes) => {
        if (type === MessageType.notification) this.lastLoss = `NOTIFICATION ${bytes[19]}/${bytes[20]}`;
        if (type !== MessageType.keepalive || this.established) return;
        this.established = true;
        this.establishedAt = performance.now();
        resolve();
      };
    });
    // Awaited below; this only prevents an unhandled rejection until then.
    up.catch(() => {});
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_LIMIT_MS) });
    socket.on('data', (chunk) => this.listener.take(chunk));
    socket.write(
      greeting(
        openBytes(as, { holdTime: HOLD_TIME, identifier: addressFrom(this.routerId, 'routerId').value }),
      ),
    );
    await up;
    this.keepalives = setInterval(() => this.send(greeting(new Uint8Array(0))), (HOLD_TIME * 1000) / 3);
  }

  /** Sends messages. */
  send(bytes: Uint8Array): void {
    this.socket?.write(bytes);
  }

  /** Stops reading until `resume`; it still sends. */
  pause(): void {
    this.socket?.pause();
  }

  resume(): void {
    this.socket?.resume();
  }

  /** Closes the connection without a NOTIFICATION. */
  drop(): void {
    const { socket } = this;
    this.detach();
    socket?.destroy();
  }

  private closed(socket: net.Socket): void {
    if (this.socket !== socket) return;
    if (this.established) this.losses++;
    this.detach();
  }

  private detach(): void {
    if (this.keepalives) clearInterval(this.keepalives);
    this.socket = null;
    this.established = false;
  }
}
