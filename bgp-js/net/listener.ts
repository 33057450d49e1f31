/** A listening socket. What peers' configurations require of their connections' first packets is set on it beforehand. */
import net from 'node:net';
import type { IPAddress, IPPrefix } from '../ip/index.ts';
import type { TransportConfig } from '../session/peer-config.ts';
import type { PeerTable } from '../session/peer-table.ts';
import {
  type SocketFamily,
  saveSyn,
  setCongestionControl,
  setHopLimit,
  setMd5Key,
  setTrafficClass,
} from './socket-options.ts';
import { CAN_BIND_FIRST, descriptorOf, minimumHopLimit, trafficClass } from './transport.ts';

/** Where connections are accepted. `::` accepts IPv4 too, unless `ipv6Only`. */
export interface ListenAddress {
  address: IPAddress;
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
class ListenError extends Error {
  readonly code: string;

  constructor(at: ListenAddress, cause: NodeJS.ErrnoException) {
    const code = cause.code ?? '';
    super(`cannot listen on ${endpointText(at)}: ${REMEDIES[code] ?? cause.message}`, { cause });
    this.code = code;
  }
}

/** `10.0.0.1:179` or `[2001:db8::1]:179`. */
function endpointText({ address, port }: ListenAddress): string {
  return `${address.version === 6 ? `[${address}]` : address}:${port}`;
}

export class Listener {
  /** The address that was asked for. */
  readonly address: IPAddress;
  /** The family of the socket, which carries IPv4 as well when it is bound to `::`. */
  readonly family: SocketFamily;
  private readonly server: net.Server;
  /** The MD5 keys set on the socket, by the text of the address or range. */
  private readonly keys = new Map<string, Md5Key>();
  private usesGtsm = false;

  private constructor(server: net.Server, address: IPAddress) {
    this.server = server;
    this.address = address;
    this.family = address.version;
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
    const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) =>
      onSocket(socket, listener),
    );
    const listener = new Listener(server, address);
    const setAll = (fd: number): void => {
      if (congestionControl !== undefined) setCongestionControl(fd, congestionControl);
      listener.setOptions(fd, peers);
    };
    const bound = CAN_BIND_FIRST ? bind({ address, port, ipv6Only }) : null;
    if (bound) runOrClose(bound, () => setAll(bound.fd()));
    // Without that, connections that come before the options are set are dropped; their peers try again.
    else server.maxConnections = 0;
    const listening = new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new ListenError(at, error))).once('listening', resolve);
    });
    if (bound) server.listen({ handle: bound, backlog: LISTEN_BACKLOG });
    else server.listen({ host: address.toString(), port, ipv6Only, backlog: LISTEN_BACKLOG });
    await listening;
    // accept(2) fails for a while when too many files are open.
    server.removeAllListeners('error').on('error', (error) => onError(`accept: ${error.message}`));
    if (!bound) {
      runOrClose(server, () => setAll(descriptorOf(server)));
      // The event loop polls the socket before immediates run: nothing that came early is left after that.
      await new Promise((resolve) => setImmediate(resolve));
      server.maxConnections = Number.POSITIVE_INFINITY;
    }
    return listener;
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

  /** `10.0.0.1:179` or `[2001:db8::1]:179`. */
  get endpoint(): string {
    return endpointText(this);
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
    const wanted = md5Keys(peers, this.family);
    if (usesGtsm || wanted.size > 0) setTrafficClass(fd, this.family, commonTrafficClass(transports));
    for (const [name, { peers: owners }] of this.keys) {
      if (wanted.has(name)) continue;
      setMd5Key(fd, this.family, owners, null);
      this.keys.delete(name);
    }
    for (const [name, entry] of wanted) {
      if (this.keys.get(name)?.key === entry.key) continue;
      setMd5Key(fd, this.family, entry.peers, entry.key);
      this.keys.set(name, entry);
    }
  }
}

/** Closes `resource` when the work fails. */
function runOrClose(resource: { close(): void }, work: () => void): void {
  try {
    work();
  } catch (error) {
    resource.close();
    throw error;
  }
}

function bind(at: ListenAddress): net.BoundSocket {
  try {
    return new net.BoundSocket({ host: at.address.toString(), port: at.port, ipv6Only: at.ipv6Only });
  } catch (error) {
    throw new ListenError(at, error as NodeJS.ErrnoException);
  }
}

/** The MD5 key of a peer, or of all peers of a range. */
interface Md5Key {
  peers: IPAddress | IPPrefix;
  key: string;
}

/** The MD5 keys of all peers that may connect to a socket of this family, by the text of their address or range. */
function md5Keys(table: PeerTable, family: SocketFamily): Map<string, Md5Key> {
  const keys = new Map<string, Md5Key>();
  const add = (peers: IPAddress | IPPrefix | null | undefined, key: string | undefined): void => {
    if (!peers || key === undefined) return;
    // An IPv4 socket never meets an IPv6 peer. On an IPv6 socket an unused IPv4 key does no harm.
    if (family === 6 || peers.version === 4) keys.set(peers.toString(), { peers, key });
  };
  for (const { range, transport } of table.configs()) add(range, transport?.password);
  for (const { address, isDynamic, config } of table)
    if (!isDynamic) add(address, config.transport?.password);
  return keys;
}

/** The DSCP of SYN-ACKs, if all peers have the same; accepted connections get their own. */
function commonTrafficClass(transports: readonly TransportConfig[]): number {
  const classes = new Set(transports.map(trafficClass));
  return classes.size === 1 ? [...classes][0] : trafficClass({});
}
