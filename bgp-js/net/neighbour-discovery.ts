/**
 * Finds the neighbour of an unnumbered peer by router advertisements (RFC 4861 §4.2). We send our own, with a lifetime
 * of 0 so that no host takes us as its default router, and learn the link-local address of every neighbour that sends
 * one.
 */
import { IPAddress } from '../ip/index.ts';
import type { Peer } from '../session/peer.ts';
import { libc, type Poll, SocketError } from './libc.ts';
import type { LivenessMonitor } from './liveness.ts';
import { bindToInterface } from './socket-options.ts';

const AF_INET6 = 10;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const IPPROTO_ICMPV6 = 58;
const IPPROTO_IPV6 = 41;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const ROUTER_ADVERTISEMENT = 134;
const SIOCGIFFLAGS = 0x8913;
/** The interface is up and has a carrier: netdevice(7). */
const IFF_RUNNING = 0x40;

/** Time between advertisements: 4 s to 1800 s (RFC 4861 §6.2.1), never less than 3 s (§10). */
const INTERVAL_MS = 10_000;
const MINIMUM_INTERVAL_MS = 3000;
/** How often the link is checked. */
const LINK_CHECK_MS = 1000;
/** Advertisements read in one turn of the event loop. */
const BATCH = 16;

/**
 * A classic BPF program that accepts router advertisements alone. A valid one has hop limit 255, since it was not
 * forwarded (RFC 4861 §6.1.2); the kernel has verified the checksum. The program loads the hop limit from the network
 * header and compares it, then loads the type and compares it.
 */
const FILTER: readonly (readonly [code: number, yes: number, no: number, k: number])[] = [
  [0x30, 0, 0, 0xfff00000 + 7],
  [0x15, 0, 3, 255],
  [0x30, 0, 0, 0],
  [0x15, 0, 1, ROUTER_ADVERTISEMENT],
  [0x06, 0, 0, 0xffff],
  [0x06, 0, 0, 0],
];

/** What a discovery reports about its interface. */
interface DiscoveryCallbacks {
  /** Gets the neighbour's link-local address with the interface as zone, at every advertisement. */
  onNeighbour(address: IPAddress): void;
  /** The link went down, or the interface was removed; `reason` is human-readable. */
  onLinkDown(reason: string): void;
  /** Gets each new error once. */
  onError(text: string): void;
}

/** Looks for the neighbour on one interface and watches the link, until it is closed. */
export class NeighbourDiscovery {
  readonly name: string;
  private readonly callbacks: DiscoveryCallbacks;
  private readonly timers: readonly NodeJS.Timeout[];
  private fd = -1;
  private index = 0;
  private isLinkUp = false;
  private poll: Poll | null = null;
  private readonly wake = (): void => {
    setImmediate(() => this.receive());
  };
  private lastError = '';
  private sentAt = Number.NEGATIVE_INFINITY;

  constructor(name: string, callbacks: DiscoveryCallbacks) {
    this.name = name;
    this.callbacks = callbacks;
    this.timers = [
      setInterval(() => this.refresh(), INTERVAL_MS),
      setInterval(() => this.checkLink(), LINK_CHECK_MS),
    ];
    this.refresh();
    this.checkLink();
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.closeSocket();
  }

  /** Opens the socket if the interface is new or was replaced, and sends an advertisement. */
  private refresh(): void {
    try {
      const index = libc().if_nametoindex(this.name);
      if (index !== this.index) this.closeSocket();
      if (index === 0) throw new Error(`interface ${this.name} does not exist`);
      if (this.fd < 0) this.openSocket(index);
      this.advertise();
      // An error, such as a link that went down, has ended the watch.
      this.poll?.start(this.wake);
      this.lastError = '';
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== this.lastError)
        this.callbacks.onError(`neighbour discovery failed: ${text}; will keep retrying`);
      this.lastError = text;
    }
  }

  /** Reports a link that went down. */
  private checkLink(): void {
    const wasUp = this.isLinkUp;
    const exists = libc().if_nametoindex(this.name) === this.index;
    const request = Buffer.alloc(40); // struct ifreq: the name, then the flags
    request.write(this.name, 0, 15);
    this.isLinkUp =
      this.fd >= 0 &&
      exists &&
      libc().ioctl(this.fd, SIOCGIFFLAGS, request) === 0 &&
      (request.readUInt16LE(16) & IFF_RUNNING) !== 0;
    if (wasUp && !this.isLinkUp) {
      this.callbacks.onLinkDown(exists ? `${this.name} is down` : `${this.name} was removed`);
    }
  }

  private openSocket(index: number): void {
    const fd = libc().socket(AF_INET6, SOCK_RAW_NONBLOCK_CLOEXEC, IPPROTO_ICMPV6);
    if (fd < 0) throw new SocketError('open an ICMPv6 socket', libc().errno());
    this.fd = fd;
    this.index = index;
    bindToInterface(fd, this.name);
    const code = Buffer.alloc(8 * FILTER.length); // struct sock_filter[]
    FILTER.forEach(([operation, yes, no, k], i) => {
      code.writeUInt16LE(operation, 8 * i);
      code.set([yes, no], 8 * i + 2);
      code.writeUInt32LE(k, 8 * i + 4);
    });
    const program = Buffer.alloc(16); // struct sock_fprog
    program.writeUInt16LE(FILTER.length, 0);
    program.writeBigUInt64LE(libc().address(code), 8);
    this.option(SOL_SOCKET, SO_ATTACH_FILTER, program);
    this.option(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, Buffer.of(255, 0, 0, 0));
    this.option(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, Buffer.of(0, 0, 0, 0));
    this.poll = libc().poll(fd, this.wake);
  }

  private option(level: number, name: number, value: Buffer): void {
    if (libc().setsockopt(this.fd, level, name, value, value.length) < 0) {
      throw new SocketError(`set up the ICMPv6 socket on ${this.name}`, libc().errno());
    }
  }

  private advertise(): void {
    this.sentAt = performance.now();
    // Type, code, checksum (the kernel's), hop limit, flags, router lifetime, reachable time, retransmission time.
    const message = Buffer.alloc(16);
    message[0] = ROUTER_ADVERTISEMENT;
    const to = Buffer.alloc(28); // struct sockaddr_in6 of ff02::1
    to.writeUInt16LE(AF_INET6, 0);
    to.set([0xff, 0x02], 8);
    to[23] = 1;
    to.writeUInt32LE(this.index, 24);
    if (Number(libc().sendto(this.fd, message, message.length, 0, to, to.length)) < 0) {
      throw new SocketError(`send a router advertisement on ${this.name}`, libc().errno());
    }
  }

  private receive(): void {
    const data = Buffer.alloc(16);
    const from = Buffer.alloc(28);
    const length = Buffer.alloc(4);
    for (let i = 0; i < BATCH && this.fd >= 0; i++) {
      length.writeUInt32LE(from.length);
      if (Number(libc().recvfrom(this.fd, data, data.length, 0, from, length)) < 16) return;
      const address = IPAddress.read(from, 8, 6, this.name);
      if (!address.isLinkLocal) continue;
      this.callbacks.onNeighbour(address);
      // A neighbour that has just come up learns our address without waiting for the timer.
      if (performance.now() - this.sentAt >= MINIMUM_INTERVAL_MS) this.refresh();
    }
  }

  private closeSocket(): void {
    this.poll?.close();
    this.poll = null;
    if (this.fd >= 0) libc().close(this.fd);
    this.fd = -1;
    this.index = 0;
  }
}

/**
 * The discoveries on the interfaces of all unnumbered peers. As a monitor of liveness they report a peer as down when its
 * link is: the neighbour on the link is then unreachable, whoever it is.
 */
export class NeighbourDiscoveries implements LivenessMonitor {
  onDown: LivenessMonitor['onDown'] = () => {};
  private readonly onNeighbour: (name: string, address: IPAddress) => void;
  private readonly onError: (name: string, text: string) => void;
  private readonly peers = new Map<string, Peer>();
  private readonly running = new Map<string, NeighbourDiscovery>();

  /**
   * @param onNeighbour gets the interface and a neighbour's link-local address, at every advertisement.
   * @param onError gets the interface and each new error once.
   */
  constructor(
    onNeighbour: (name: string, address: IPAddress) => void,
    onError: (name: string, text: string) => void,
  ) {
    this.onNeighbour = onNeighbour;
    this.onError = onError;
  }

  /** Searches on the interfaces of the unnumbered ones among these peers, and stops on all others. */
  follow(peers: Iterable<Peer>): void {
    this.peers.clear();
    for (const peer of peers)
      if (isUnnumbered(peer)) this.peers.set(peer.config.transport?.interface ?? '', peer);
    for (const [name, discovery] of this.running) {
      if (this.peers.has(name)) continue;
      discovery.close();
      this.running.delete(name);
    }
    for (const name of this.peers.keys()) {
      if (!this.running.has(name)) this.running.set(name, this.discover(name));
    }
  }

  private discover(name: string): NeighbourDiscovery {
    return new NeighbourDiscovery(name, {
      onNeighbour: (address) => this.onNeighbour(name, address),
      onError: (text) => this.onError(name, text),
      onLinkDown: (reason) => {
        const peer = this.peers.get(name);
        if (peer) this.onDown(peer, reason);
      },
    });
  }
}

const isUnnumbered = ({ config }: Peer): boolean =>
  config.address === undefined && config.range === undefined;
