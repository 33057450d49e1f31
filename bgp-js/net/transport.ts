/** TCP connections to and from peers, with the options of the peer's {@link TransportConfig}. */
import net from 'node:net';
import { type IPAddress, parseAddress } from '../ip/index.ts';
import type { TransportConfig } from '../session/peer-config.ts';
import {
  bindToInterface,
  hopLimitOfSyn,
  type SocketFamily,
  setCongestionControl,
  setHopLimit,
  setMd5Key,
  setMinimumHopLimit,
  setTrafficClass,
  setUserTimeout,
} from './socket-options.ts';

/** CS6, network control: the DSCP of routing protocols (RFC 4594 §3.1). */
const CS6 = 48;
/** The TTL of a packet that was not forwarded (RFC 5082 §3). */
const FULL_TTL = 255;

/** Whether Node.js can bind a socket before it listens or connects, so that options are set first: from 24.19 on. */
export const CAN_BIND_FIRST = 'BoundSocket' in net;

/** What to connect to. */
export interface DialTarget {
  address: IPAddress;
  port: number;
  transport: TransportConfig;
  /** Our addresses, of which the first of the peer's family is used unless `transport` has one. */
  localAddresses: readonly IPAddress[];
  /** By default the host's. */
  congestionControl?: string;
}

/** The octet of DSCP and ECN in the packets to a peer. */
export const trafficClass = (transport: TransportConfig): number => (transport.dscp ?? CS6) << 2;

/** The lowest TTL at which packets of a peer are accepted; 0: any (RFC 5082 §3). */
export const minimumHopLimit = ({ ttlSecurity }: TransportConfig): number =>
  ttlSecurity === undefined ? 0 : FULL_TTL + 1 - ttlSecurity;

/** The TTL of packets to a peer; -1: the kernel's default. */
const hopLimit = ({ ttlSecurity, ttl }: TransportConfig): number =>
  ttlSecurity === undefined ? (ttl ?? -1) : FULL_TTL;

/** The interface to bind a connection to; a link-local peer has it in its address. */
const boundInterface = (transport: TransportConfig, peer: IPAddress): string | undefined =>
  peer.version === 6 && peer.isLinkLocal ? undefined : transport.interface;

/** Starts a connection. All failures, immediate ones too, arrive as the socket's `error` and `close` events. */
export function dial(target: DialTarget): net.Socket {
  try {
    const socket = makeSocket(target);
    socket.setNoDelay(true);
    return socket;
  } catch (error) {
    const socket = new net.Socket();
    process.nextTick(() => socket.destroy(error instanceof Error ? error : new Error(String(error))));
    return socket;
  }
}

function makeSocket(target: DialTarget): net.Socket {
  const { address: peer, port, transport, localAddresses, congestionControl } = target;
  const family = peer.version;
  // A link-local peer is reached from a link-local address, which the kernel chooses.
  const isScoped = peer.version === 6 && peer.isLinkLocal;
  const fallback = isScoped ? undefined : localAddresses.find(({ version }) => version === family);
  const local = (transport.localAddress ?? fallback)?.toString();
  const host = peer.toString();
  const typeOfService = trafficClass(transport);
  if (congestionControl === undefined && !needsDescriptor(transport, peer)) {
    const socket = new net.Socket({ typeOfService, allowHalfOpen: true });
    if (!CAN_BIND_FIRST) socket.once('connect', () => setTypeOfService(socket, family, typeOfService));
    return socket.connect({ host, port, localAddress: local });
  }
  if (!CAN_BIND_FIRST) {
    throw new Error(
      'socket options of a connection that we open need Node.js 24.19 or later; with this version, let the peer connect',
    );
  }
  const bound = new net.BoundSocket({ host: local ?? (family === 6 ? '::' : '0.0.0.0') });
  try {
    if (congestionControl !== undefined) setCongestionControl(bound.fd(), congestionControl);
    setTrafficClass(bound.fd(), family, typeOfService);
    applyTransport(bound.fd(), family, peer, transport, {});
    return new net.Socket({ handle: bound, typeOfService, allowHalfOpen: true }).connect({
      host,
      port,
    });
  } catch (error) {
    bound.close();
    throw error;
  }
}

function needsDescriptor(transport: TransportConfig, peer: IPAddress): boolean {
  const { password, ttlSecurity, ttl, userTimeoutMs } = transport;
  const options = [password, ttlSecurity, ttl, userTimeoutMs, boundInterface(transport, peer)];
  return options.some((option) => option !== undefined);
}

/** Sets the options in which `transport` differs from what the socket has, `before`. Throws SocketError. */
function applyTransport(
  fd: number,
  family: SocketFamily,
  peer: IPAddress,
  transport: TransportConfig,
  before: TransportConfig,
): void {
  if (hopLimit(transport) !== hopLimit(before)) setHopLimit(fd, family, hopLimit(transport));
  if (minimumHopLimit(transport) !== minimumHopLimit(before))
    setMinimumHopLimit(fd, family, minimumHopLimit(transport));
  if (transport.userTimeoutMs !== before.userTimeoutMs) setUserTimeout(fd, transport.userTimeoutMs ?? 0);
  if (transport.password !== before.password) setMd5Key(fd, family, peer, transport.password ?? null);
  const name = boundInterface(transport, peer);
  if (name !== boundInterface(before, peer)) bindToInterface(fd, name ?? '');
}

/**
 * Why a connection that a peer made is refused, or null; then the options of `transport` are set on it. Its MD5
 * signature was checked by the kernel.
 */
export function refusalOf(
  socket: net.Socket,
  listener: SocketFamily,
  transport: TransportConfig,
): string | null {
  try {
    return admit(socket, listener, transport);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function admit(socket: net.Socket, listener: SocketFamily, transport: TransportConfig): string | null {
  const peer = parseAddress(socket.remoteAddress ?? '');
  if (!peer) return 'the connection is closed already';
  setTypeOfService(socket, listener, trafficClass(transport));
  const { password, ...rest } = transport;
  if (!needsDescriptor(rest, peer)) return null;
  const fd = descriptorOf(socket);
  const minimum = minimumHopLimit(transport);
  const hops = minimum > 0 ? hopLimitOfSyn(fd) : null;
  if (minimum > 0 && (hops === null || hops < minimum)) {
    return `its packets arrive with a TTL of ${hops ?? 'unknown size'}, GTSM requires at least ${minimum}`;
  }
  applyTransport(fd, listener, peer, rest, {});
  return null;
}

/**
 * Changes the options of a live connection from `before` to `transport`; the local address applies to the next one.
 * Throws SocketError.
 */
export function updateTransport(
  socket: net.Socket,
  transport: TransportConfig,
  before: TransportConfig,
): void {
  const peer = parseAddress(socket.remoteAddress ?? '');
  if (!peer) return;
  // The socket's family, not the peer's: an IPv6 socket may carry IPv4.
  const family = socket.remoteFamily === 'IPv6' ? 6 : 4;
  setTypeOfService(socket, family, trafficClass(transport));
  applyTransport(descriptorOf(socket), family, peer, transport, before);
}

/**
 * Sets the DSCP of what a socket sends. Node.js does so since 24.15, but on an IPv6 socket only for IPv6 packets: one
 * that carries IPv4 needs koffi, as do all sockets with an older Node.js. Without koffi those packets have no DSCP.
 */
function setTypeOfService(socket: net.Socket, family: SocketFamily, value: number): void {
  const method: ((value: number) => unknown) | undefined = socket.setTypeOfService;
  const isMapped = family === 6 && parseAddress(socket.remoteAddress ?? '')?.version === 4;
  if (method && !isMapped) {
    method.call(socket, value);
    return;
  }
  try {
    setTrafficClass(descriptorOf(socket), family, value);
  } catch {
    // A session works without its DSCP.
  }
}

/**
 * The descriptor of a socket that Node made. Node has no public name for it (net.BoundSocket has one, before the
 * connection); it is used for socket options alone. Throws an Error when the socket is closed.
 */
export function descriptorOf(socket: net.Socket | net.Server): number {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } };
  const fd = handle?.fd ?? -1;
  if (fd < 0) throw new Error('the socket is closed');
  return fd;
}
