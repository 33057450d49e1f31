/** TCP socket options that protect and mark BGP sessions, set by descriptor. All throw {@link SocketError}. */
import { type IPAddress, IPPrefix, type IPVersion } from '../ip/index.ts';
import { libc, SocketError } from './libc.ts';

/** The family of the socket, not of its peer: an IPv6 socket may carry IPv4 and needs the options of both. */
export type SocketFamily = IPVersion;

// Numbers of linux/in.h, in6.h, tcp.h and asm-generic/socket.h.
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPPROTO_TCP = 6;
const TCP_CONGESTION = 13;
const TCP_MD5SIG = 14;
const TCP_USER_TIMEOUT = 18;
const TCP_SAVE_SYN = 27;
const TCP_SAVED_SYN = 28;
const TCP_MD5SIG_EXT = 32;
const TCP_MD5SIG_FLAG_PREFIX = 1;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_TCLASS = 67;
const IPV6_MINHOPCOUNT = 73;
const AF_INET = 2;
const AF_INET6 = 10;
const ENOENT = 2;

/** The longest key of a TCP MD5 signature, in octets (TCP_MD5SIG_MAXKEYLEN). */
const MAXIMUM_KEY = 80;

/** Sets the TTL of sent packets; -1: the kernel's default. */
export function setHopLimit(fd: number, family: SocketFamily, hops: number): void {
  set(fd, family, 'set the TTL', [IPPROTO_IP, IP_TTL], [IPPROTO_IPV6, IPV6_UNICAST_HOPS], hops);
}

/** Sets the lowest TTL of accepted packets; 0: any (RFC 5082). */
export function setMinimumHopLimit(fd: number, family: SocketFamily, hops: number): void {
  set(fd, family, 'set the minimum TTL', [IPPROTO_IP, IP_MINTTL], [IPPROTO_IPV6, IPV6_MINHOPCOUNT], hops);
}

/** Sets the octet of DSCP and ECN in sent packets (RFC 2474). */
export function setTrafficClass(fd: number, family: SocketFamily, value: number): void {
  set(fd, family, 'set the DSCP', [IPPROTO_IP, IP_TOS], [IPPROTO_IPV6, IPV6_TCLASS], value);
}

/** Sets how long sent data may stay unacknowledged, in ms (RFC 5482); 0: the kernel's default. */
export function setUserTimeout(fd: number, ms: number): void {
  setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, int(ms), 'set the TCP user time-out');
}

/** Sets the congestion control, by the kernel's name for it (tcp(7)). Accepted connections inherit the listener's. */
export function setCongestionControl(fd: number, name: string): void {
  setOption(fd, IPPROTO_TCP, TCP_CONGESTION, Buffer.from(name), `set the congestion control ${name}`);
}

/** Sends and receives through this interface alone; the empty name removes the binding. */
export function bindToInterface(fd: number, name: string): void {
  setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${name}\0`), `bind to the interface ${name}`);
}

/** Makes a listening socket keep the header of each SYN for {@link hopLimitOfSyn}. */
export function saveSyn(fd: number, on: boolean): void {
  setOption(fd, IPPROTO_TCP, TCP_SAVE_SYN, int(on ? 1 : 0), 'keep the headers of SYNs');
}

/** The TTL of an accepted connection's SYN; null when it was not kept. Readable once. */
export function hopLimitOfSyn(fd: number): number | null {
  const header = Buffer.alloc(256);
  const length = int(header.length);
  if (libc().getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, header, length) < 0) return null;
  if (length.readUInt32LE() < 20) return null;
  return header[0] >> 4 === 4 ? header[8] : header[7];
}

/**
 * Sets the key of the TCP MD5 signature (RFC 2385) for a peer, or for all peers of a range; null removes it. On a
 * live connection the key applies from the next segment on.
 */
export function setMd5Key(
  fd: number,
  family: SocketFamily,
  peers: IPAddress | IPPrefix,
  key: string | null,
): void {
  const secret = Buffer.from(key ?? '');
  if (secret.length > MAXIMUM_KEY || (key !== null && secret.length === 0)) {
    throw new RangeError(`a TCP MD5 key has 1 to ${MAXIMUM_KEY} octets, this one has ${secret.length}`);
  }
  const isPrefix = peers instanceof IPPrefix;
  const option = Buffer.alloc(216); // struct tcp_md5sig
  writeSocketAddress(option, family, isPrefix ? peers.address : peers);
  option[128] = isPrefix ? TCP_MD5SIG_FLAG_PREFIX : 0;
  option[129] = isPrefix ? peers.length : 0;
  option.writeUInt16LE(secret.length, 130);
  secret.copy(option, 136);
  const name = isPrefix ? TCP_MD5SIG_EXT : TCP_MD5SIG;
  const failed = libc().setsockopt(fd, IPPROTO_TCP, name, option, option.length) < 0;
  const errno = libc().errno();
  // Removing a key that the socket does not have is no failure.
  if (failed && !(key === null && errno === ENOENT)) throw new SocketError('set the TCP MD5 key', errno);
}

/** Writes a struct sockaddr; on an IPv6 socket an IPv4 address is written as ::ffff:a.b.c.d. */
function writeSocketAddress(target: Buffer, family: SocketFamily, address: IPAddress): void {
  if (family === 4) {
    target.writeUInt16LE(AF_INET, 0);
    address.write(target, 4);
    return;
  }
  target.writeUInt16LE(AF_INET6, 0);
  address.mapped().write(target, 8);
}

function set(
  fd: number,
  family: SocketFamily,
  attempt: string,
  ipv4: readonly [number, number],
  ipv6: readonly [number, number],
  value: number,
): void {
  setOption(fd, ...ipv4, int(value), attempt);
  if (family === 6) setOption(fd, ...ipv6, int(value), attempt);
}

function setOption(fd: number, level: number, option: number, value: Buffer, attempt: string): void {
  if (libc().setsockopt(fd, level, option, value, value.length) < 0) {
    throw new SocketError(attempt, libc().errno());
  }
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
