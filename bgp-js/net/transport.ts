/** Connections to peers, made and protected as the peer's {@link TransportConfig} says. */
import net from 'node:net';
import type { TransportConfig } from '../session/peer-config.ts';
import { type IPAddress, isLinkLocal, parseAddress } from '../wire/address.ts';
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

/** CS6, network control: what RFC 4594 §3.1 gives to routing protocols. */
const CS6 = 48;
/** The TTL of a packet that nobody has forwarded (RFC 5082 §3). */
const FULL_TTL = 255;

/** What to connect to. */
export interface DialTarget {
  address: string;
  port: number;
  transport: TransportConfig;
  /** Our address where `transport` has none and this one is of the peer's family. */
  localAddress: string | undefined;
  /** The kernel's own where there is none. */
  congestionControl?: string;
}

export const familyOf = (address: string): SocketFamily => (address.includes(':') ? 6 : 4);

/** The octet of DSCP and ECN that a peer's packets bear. */
export const trafficClass = (transport: TransportConfig): number => (transport.dscp ?? CS6) << 2;

/** The least TTL with which the packets of a peer may come, 0: any (RFC 5082 §3). */
export const leastHopLimit = ({ ttlSecurity }: TransportConfig): number =>
  ttlSecurity === undefined ? 0 : FULL_TTL + 1 - ttlSecurity;

/** The TTL of our packets to a peer; -1: as the kernel has it. */
const hopLimit = ({ ttlSecurity, ttl }: TransportConfig): number =>
  ttlSecurity === undefined ? (ttl ?? -1) : FULL_TTL;

/** The interface to which a connection is bound; that of a link-local peer is in its address. */
const boundInterface = (transport: TransportConfig, peer: IPAddress): string | undefined =>
  isLinkLocal(peer) ? undefined : transport.interface;

/** Begins a connection. What fails at once is told by the socket's `error` and `close`, as what fails later is. */
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
  const { address, port, transport, localAddress, congestionControl } = target;
  const peer = parseAddress(address);
  if (!peer) throw new Error(`${address} is not an IP address`);
  const family = familyOf(address);
  const fallback = localAddress !== undefined && familyOf(localAddress) === family ? localAddress : undefined;
  const local = transport.localAddress ?? fallback;
  const typeOfService = trafficClass(transport);
  if (congestionControl === undefined && !needsDescriptor(transport, peer)) {
    const socket = new net.Socket({ typeOfService, allowHalfOpen: true });
    return socket.connect({ host: address, port, localAddress: local });
  }
  const bound = new net.BoundSocket({ host: local ?? (family === 6 ? '::' : '0.0.0.0') });
  try {
    if (congestionControl !== undefined) setCongestionControl(bound.fd(), congestionControl);
    setTrafficClass(bound.fd(), family, typeOfService);
    applyTransport(bound.fd(), family, peer, transport, {});
    return new net.Socket({ handle: bound, typeOfService, allowHalfOpen: true }).connect({
      host: address,
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
  if (leastHopLimit(transport) !== leastHopLimit(before))
    setMinimumHopLimit(fd, family, leastHopLimit(transport));
  if (transport.userTimeoutMs !== before.userTimeoutMs) setUserTimeout(fd, transport.userTimeoutMs ?? 0);
  if (transport.password !== before.password) setMd5Key(fd, family, peer, transport.password ?? null);
  const name = boundInterface(transport, peer);
  if (name !== boundInterface(before, peer)) bindToInterface(fd, name ?? '');
}

/**
 * Judges a connection that a peer made, and protects it as `transport` says. Its MD5 signature was judged by the
 * kernel. Returns why it is refused, or null. Throws SocketError.
 */
export function admit(socket: net.Socket, listener: SocketFamily, transport: TransportConfig): string | null {
  const peer = parseAddress(socket.remoteAddress ?? '');
  if (!peer) return 'it is gone already';
  socket.setTypeOfService(trafficClass(transport));
  const { password, ...rest } = transport;
  if (!needsDescriptor(rest, peer)) return null;
  const fd = descriptorOf(socket);
  const least = leastHopLimit(transport);
  const hops = least > 0 ? hopLimitOfSyn(fd) : null;
  if (least > 0 && (hops === null || hops < least)) {
    return `its packets come with a TTL of ${hops ?? 'unknown size'}, at least ${least} is asked for (GTSM)`;
  }
  applyTransport(fd, listener, peer, rest, {});
  return null;
}

/**
 * Applies a changed configuration to a live connection; the local address counts from the next one on. Throws
 * SocketError.
 */
export function adjust(socket: net.Socket, transport: TransportConfig, before: TransportConfig): void {
  const peer = parseAddress(socket.remoteAddress ?? '');
  if (!peer || JSON.stringify(transport) === JSON.stringify(before)) return;
  socket.setTypeOfService(trafficClass(transport));
  // A socket of IPv6 may carry IPv4: its peer shows as ::ffff:a.b.c.d.
  applyTransport(descriptorOf(socket), familyOf(socket.remoteAddress ?? ''), peer, transport, before);
}

/** Whether a socket has its descriptor still: once it is destroyed, the number may be another's. */
export function isOpen(socket: net.Socket): boolean {
  return (socket as unknown as { _handle?: unknown })._handle != null;
}

/** The descriptor of a socket that Node made; it has no public name (net.BoundSocket has, before the connection). */
export function descriptorOf(socket: net.Socket | net.Server): number {
  const fd = descriptorIfOpen(socket);
  if (fd < 0) throw new Error('the socket is closed');
  return fd;
}

/** The same, or -1 where there is none. */
export function descriptorIfOpen(socket: net.Socket | net.Server): number {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } };
  return handle?.fd ?? -1;
}
