import type { IPAddress, IPPrefix } from '../ip/index.ts';
import { Peer } from './peer.ts';
import type { PeerConfig } from './peer-config.ts';

/** A range of addresses from which peers may connect, and the peers that exist because of it. */
interface PeerRange {
  config: PeerConfig;
  range: IPPrefix;
  peers: Set<Peer>;
}

type Identity = Pick<PeerConfig, 'address' | 'range' | 'transport'>;

/**
 * The text that identifies a configuration: its address (a link-local one with its zone), its range, or the interface of
 * an unnumbered peer.
 */
export function peerKey({ address, range, transport }: Identity): string {
  if (address === undefined) return range?.toString() ?? transport?.interface ?? '';
  return inOwnZone(address, transport).toString();
}

/** A link-local address without a zone belongs to the interface of the peer's transport. */
function inOwnZone(address: IPAddress, transport: PeerConfig['transport']): IPAddress {
  return address.zone === '' ? address.inZone(transport?.interface ?? '') : address;
}

/** All peers: the configured ones, and those out of ranges, which are created when they connect. */
export class PeerTable {
  private readonly all = new Set<Peer>();
  private readonly byAddress = new Map<IPAddress['key'], Peer>();
  /** Configured peers by their configuration's key. */
  private readonly configured = new Map<string, Peer>();
  /** Unnumbered peers by their interface: the neighbour on it, whatever its address is. */
  private readonly byInterface = new Map<string, Peer>();
  private readonly ranges = new Map<string, PeerRange>();
  /** Increases whenever a peer is added, removed or changed. */
  peerChanges = 0;
  /** Increases with every change of a configuration or of a neighbour's address. */
  configChanges = 0;

  [Symbol.iterator](): Iterator<Peer> {
    return this.all.values();
  }

  get size(): number {
    return this.all.size;
  }

  /** Adds a configuration. Returns the peer, or null for a range. Throws RangeError when it clashes or is malformed. */
  add(config: PeerConfig, now: number): Peer | null {
    this.configChanges++;
    if (config.range !== undefined) {
      this.addRange(config, config.range);
      return null;
    }
    const key = peerKey(config);
    const address = config.address === undefined ? null : inOwnZone(config.address, config.transport);
    if (address === null) {
      if (key === '') throw new RangeError(`peer ${config.name} has no address, range or interface`);
      if (this.byInterface.has(key)) throw new RangeError(`a peer on the interface ${key} exists`);
    } else {
      if (address.version === 6 && address.isLinkLocal && address.zone === '') {
        throw new RangeError(`peer ${config.name}: the link-local address ${address} needs an interface`);
      }
      if (this.byAddress.has(address.key)) throw new RangeError(`a peer with the address ${address} exists`);
    }
    const peer = this.enter(new Peer({ config, address, isDynamic: false, now }));
    if (address === null) this.byInterface.set(key, peer);
    this.configured.set(key, peer);
    return peer;
  }

  private addRange(config: PeerConfig, range: IPPrefix): void {
    const key = peerKey(config);
    if (this.ranges.has(key)) throw new RangeError(`the range ${range} exists`);
    this.ranges.set(key, { config, range, peers: new Set() });
  }

  private enter(peer: Peer): Peer {
    this.all.add(peer);
    this.peerChanges++;
    if (peer.address) this.byAddress.set(peer.address.key, peer);
    return peer;
  }

  /** Removes the configuration with this key; returns its peers, which are removed too. */
  removeConfig(key: string): Peer[] {
    this.configChanges++;
    const peers = this.of(key);
    this.ranges.delete(key);
    this.byInterface.delete(key);
    for (const peer of peers) this.removePeer(peer);
    return peers;
  }

  /** The peers of the configuration with this key: one, or those out of the range. */
  of(key: string): Peer[] {
    const peer = this.configured.get(key);
    return peer ? [peer] : [...(this.ranges.get(key)?.peers ?? [])];
  }

  /** The configuration with this key. */
  config(key: string): PeerConfig | undefined {
    return this.ranges.get(key)?.config ?? this.configured.get(key)?.config;
  }

  /** The configuration that accepts connections from this address; null: none. */
  configFor(address: IPAddress): PeerConfig | null {
    const peer = this.byAddress.get(address.key) ?? this.byInterface.get(address.zone);
    return (peer ?? this.rangeOf(address))?.config ?? null;
  }

  /** All configurations, those of ranges included. */
  configs(): PeerConfig[] {
    return [...this.configured.values(), ...this.ranges.values()].map(({ config }) => config);
  }

  /** Replaces the configuration with the same key. */
  replaceConfig(config: PeerConfig): void {
    this.configChanges++;
    const key = peerKey(config);
    const range = this.ranges.get(key);
    if (range) range.config = config;
    for (const peer of this.of(key)) peer.config = config;
    this.peerChanges++;
  }

  /** The peer with this address, or null. */
  at(address: IPAddress): Peer | null {
    return this.byAddress.get(address.key) ?? null;
  }

  /** The peer for a connection from this address, created if a range allows it; a text: why the connection is refused. */
  forAddress(address: IPAddress, now: number): Peer | string {
    const known = this.byAddress.get(address.key);
    if (known) return known;
    if (address.zone !== '' && this.byInterface.has(address.zone)) {
      const found = this.neighbourFound(address.zone, address);
      return found ?? `the session on ${address.zone} is with another neighbour`;
    }
    const range = this.rangeOf(address);
    if (!range) return 'no peer is configured with this address';
    const { config, peers } = range;
    if (peers.size >= config.maximumPeers) {
      return `${config.name} has its maximum of ${config.maximumPeers} peers`;
    }
    const peer = this.enter(new Peer({ config, address, isDynamic: true, now }));
    peers.add(peer);
    return peer;
  }

  /**
   * Sets the address of the unnumbered peer on an interface. Returns the peer; null when the interface has none, or when
   * the peer has a connection with another neighbour.
   */
  neighbourFound(name: string, address: IPAddress): Peer | null {
    const peer = this.byInterface.get(name);
    if (!peer || peer.address?.equals(address)) return peer ?? null;
    if (peer.current || this.byAddress.has(address.key)) return null;
    if (peer.address) this.byAddress.delete(peer.address.key);
    peer.address = address;
    this.configChanges++;
    this.peerChanges++;
    this.byAddress.set(address.key, peer);
    return peer;
  }

  /** Removes a peer, but not the range that it came from. */
  removePeer(peer: Peer): void {
    this.all.delete(peer);
    this.peerChanges++;
    const key = peerKey(peer.config);
    this.ranges.get(key)?.peers.delete(peer);
    if (this.configured.get(key) === peer) this.configured.delete(key);
    const { address } = peer;
    if (address && this.byAddress.get(address.key) === peer) this.byAddress.delete(address.key);
  }

  /** The range with the longest prefix that contains the address. */
  private rangeOf(address: IPAddress): PeerRange | null {
    let best: PeerRange | null = null;
    for (const candidate of this.ranges.values()) {
      if (!candidate.range.contains(address)) continue;
      if (!best || candidate.range.length > best.range.length) best = candidate;
    }
    return best;
  }
}
