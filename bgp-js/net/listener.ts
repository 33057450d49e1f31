/** A listening socket. What peers' configurations require of their connections' first packets is set on it beforehand. */
import net from 'node:net';
import type { TransportConfig } from '../session/peer-config.ts';
import type { PeerTable } from '../session/peer-table.ts';
import { parseAddress, parseRange } from '../wire/address.ts';
import {
  type SocketFamily,
  saveSyn,
  setCongestionControl,
  setHopLimit,
  setMd5Key,
  setTrafficClass,
} from './socket-options.ts';
import { descriptorOf, familyOf, minimumHopLimit, trafficClass } from './transport.ts';

/** Where connections are accepted. `::` accepts IPv4 too, unless `ipv6Only`. */
export interface ListenAddress {
  address: string;
  port: number;
  ipv6Only?: boolean;
}

const LISTEN_BACKLOG = 4096;
const FULL_TTL = 255;

/** What to do about an address that cannot be bound, by error code. */
const REMEDIES: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL:
    'this machine does not have that address (is it configured correctly, or is the network not up yet?)',
  EADDRINUSE: 'the address is in use (does another BGP daemon run on this machine?)',
  EACCES: 'permission denied (ports below 1024 need root or CAP_NET_BIND_SERVICE)',
  EAFNOSUPPORT: 'this machine has no IPv6 (is it disabled in the kernel?)',
};

/** An address that cannot be listened on, with the reason and what to check. */
export class ListenError extends Error {
  readonly code: string;

  constructor({ address, port }: ListenAddress, cause: NodeJS.ErrnoException) {
    const code = cause.code ?? '';
    super(`cannot listen on ${formatEndpoint(address, port)}: ${REMEDIES[code] ?? cause.message}`, { cause });
    this.code = code;
  }
}

/** `10.0.0.1:179` or `[2001:db8::1]:179`. */
export function formatEndpoint(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

export class Listener {
  readonly address: string;
  /** The family of the socket, which carries IPv4 as well when it is bound to `::`. */
  readonly family: SocketFamily;
  private readonly server: net.Server;
  /** The MD5 keys set on the socket, by address or range. */
  private readonly keys = new Map<string, string>();
  private usesGtsm = false;

  private constructor(server: net.Server, address: string) {
    this.server = server;
    this.address = address;
    this.family = familyOf(address);
  }

  /**
   * Listens. The options that `peers` require are set before the first connection can arrive.
   * @param onSocket gets each accepted connection.
   * @param onError gets errors of accept(2), after which the listener goes on.
   * @throws ListenError when the address cannot be listened on, SocketError when an option cannot be set.
   */
  static async open(
    at: ListenAddress & { congestionControl?: string },
    peers: PeerTable,
    onSocket: (socket: net.Socket, listener: Listener) => void,
    onError: (text: string) => void,
  ): Promise<Listener> {
    const { address, port, ipv6Only, congestionControl } = at;
    const bound = bind({ address, port, ipv6Only });
    const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) =>
      onSocket(socket, listener),
    );
    const listener = new Listener(server, address);
    try {
      if (congestionControl !== undefined) setCongestionControl(bound.fd(), congestionControl);
      listener.setOptions(bound.fd(), peers);
    } catch (error) {
      bound.close();
      throw error;
    }
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => reject(new ListenError(at, error));
      server.once('error', fail);
      server.listen({ handle: bound, backlog: LISTEN_BACKLOG }, () => {
        server.off('error', fail);
        // accept(2) fails for a while when too many files are open.
        server.on('error', (error) => onError(`accept: ${error.message}`));
        resolve(listener);
      });
    });
  }

  /** The port, chosen by the kernel if 0 was asked for; 0 once closed. */
  get port(): number {
    const address = this.server.address();
    return address && typeof address === 'object' ? address.port : 0;
  }

  /** Applies changed configurations. Throws SocketError; keys after the failed one may then be missing. */
  update(peers: PeerTable): void {
    this.setOptions(descriptorOf(this.server), peers);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private setOptions(fd: number, peers: PeerTable): void {
    const transports = peers.configs().map(({ transport }) => transport ?? {});
    const usesGtsm = transports.some((transport) => minimumHopLimit(transport) > 0);
    if (usesGtsm !== this.usesGtsm) {
      // The SYN-ACK has the listener's TTL, and GTSM requires the full one there too (RFC 5082 §3).
      setHopLimit(fd, this.family, usesGtsm ? FULL_TTL : -1);
      saveSyn(fd, usesGtsm);
      this.usesGtsm = usesGtsm;
    }
    const wanted = md5Keys(peers);
    if (usesGtsm || wanted.size > 0) setTrafficClass(fd, this.family, commonTrafficClass(transports));
    for (const name of this.keys.keys()) if (!wanted.has(name)) this.setKey(fd, name, null);
    for (const [name, key] of wanted) if (this.keys.get(name) !== key) this.setKey(fd, name, key);
  }

  private setKey(fd: number, name: string, key: string | null): void {
    const peers = parseRange(name) ?? parseAddress(name);
    // An IPv4 socket never meets an IPv6 peer. On an IPv6 socket an unused IPv4 key does no harm.
    if (!peers || (this.family === 4 && peers.bytes.length !== 4)) return;
    setMd5Key(fd, this.family, peers, key);
    if (key === null) this.keys.delete(name);
    else this.keys.set(name, key);
  }
}

function bind(at: ListenAddress): net.BoundSocket {
  try {
    return new net.BoundSocket({ host: at.address, port: at.port, ipv6Only: at.ipv6Only });
  } catch (error) {
    throw new ListenError(at, error as NodeJS.ErrnoException);
  }
}

/** The MD5 keys of all peers that may connect, by address or range. */
function md5Keys(peers: PeerTable): Map<string, string> {
  const keys = new Map<string, string>();
  for (const { range, transport } of peers.configs()) {
    if (range !== undefined && transport?.password !== undefined) keys.set(range, transport.password);
  }
  for (const { address, dynamic, config } of peers) {
    const password = config.transport?.password;
    if (!dynamic && address !== '' && password !== undefined) keys.set(address, password);
  }
  return keys;
}

/** The DSCP of SYN-ACKs, if all peers have the same; accepted connections get their own. */
function commonTrafficClass(transports: readonly TransportConfig[]): number {
  const classes = new Set(transports.map(trafficClass));
  return classes.size === 1 ? [...classes][0] : trafficClass({});
}
