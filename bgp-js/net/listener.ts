/** A listening socket, with what the peers' configurations ask of it before a connection is there. */
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
import { admit, descriptorOf, familyOf, leastHopLimit, trafficClass } from './transport.ts';

/** Where connections are accepted: `::` takes IPv4 too, unless `ipv6Only`. */
export interface ListenAddress {
  address: string;
  port: number;
  ipv6Only?: boolean;
}

const LISTEN_BACKLOG = 4096;
const FULL_TTL = 255;

export class Listener {
  readonly family: SocketFamily;
  private readonly server: net.Server;
  /** The MD5 keys that the socket has, by address or range. */
  private readonly keys = new Map<string, string>();
  private guarded = false;

  private constructor(server: net.Server, family: SocketFamily) {
    this.server = server;
    this.family = family;
  }

  /**
   * Listens. The options that `peers` ask for are set before the first connection can come. Rejects when the address
   * cannot be listened on, or an option cannot be set.
   */
  static async open(
    at: ListenAddress & { congestionControl?: string },
    peers: PeerTable,
    onSocket: (socket: net.Socket, listener: Listener) => void,
    onError: (text: string) => void,
  ): Promise<Listener> {
    const { address, port, ipv6Only, congestionControl } = at;
    const bound = new net.BoundSocket({ host: address, port, ipv6Only });
    const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) =>
      onSocket(socket, listener),
    );
    const listener = new Listener(server, familyOf(address));
    try {
      if (congestionControl !== undefined) setCongestionControl(bound.fd(), congestionControl);
      listener.set(bound.fd(), peers);
    } catch (error) {
      bound.close();
      throw error;
    }
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ handle: bound, backlog: LISTEN_BACKLOG }, () => {
        server.off('error', reject);
        // A failing accept() (too many open files) is not the end of the listener.
        server.on('error', (error) => onError(`accept: ${error.message}`));
        resolve(listener);
      });
    });
  }

  get port(): number {
    const address = this.server.address();
    return address && typeof address === 'object' ? address.port : 0;
  }

  /** Takes over changed configurations. Throws SocketError; the keys that could be set are. */
  update(peers: PeerTable): void {
    this.set(descriptorOf(this.server), peers);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private set(fd: number, peers: PeerTable): void {
    const transports = peers.configs().map(({ transport }) => transport ?? {});
    const guarded = transports.some((transport) => leastHopLimit(transport) > 0);
    if (guarded !== this.guarded) {
      // The SYN-ACK bears the listener's TTL, and GTSM wants the full one also there.
      setHopLimit(fd, this.family, guarded ? FULL_TTL : -1);
      saveSyn(fd, guarded);
      this.guarded = guarded;
    }
    const wanted = md5Keys(peers);
    if (guarded || wanted.size > 0) setTrafficClass(fd, this.family, commonClass(transports));
    for (const name of this.keys.keys()) if (!wanted.has(name)) this.setKey(fd, name, null);
    for (const [name, key] of wanted) if (this.keys.get(name) !== key) this.setKey(fd, name, key);
  }

  private setKey(fd: number, name: string, key: string | null): void {
    const peers = parseRange(name) ?? parseAddress(name);
    // A socket of IPv4 meets no peer of IPv6; one of IPv6 alone has no harm from a key that is never used.
    if (!peers || (this.family === 4 && peers.bytes.length !== 4)) return;
    setMd5Key(fd, this.family, peers, key);
    if (key === null) this.keys.delete(name);
    else this.keys.set(name, key);
  }
}

/** The MD5 keys of all who may connect, by address or range. */
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

/** The DSCP of SYN-ACKs, when all peers agree on one; the connection gets its own when it is accepted. */
function commonClass(transports: readonly TransportConfig[]): number {
  const classes = new Set(transports.map(trafficClass));
  return classes.size === 1 ? [...classes][0] : trafficClass({});
}

/** Why an accepted connection is not taken in, or null; what its peer's configuration asks for is set. */
export function validate(
  socket: net.Socket,
  family: SocketFamily,
  transport: TransportConfig,
): string | null {
  try {
    return admit(socket, family, transport);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
