import type { IPAddress, IPPrefix } from '../ip/index.ts';
import { Peer } from './peer.ts';
import type { PeerConfig } from './peer-config.ts';

/** A range of addresses from which peers may connect. */
interface PeerRange {
  config: PeerConfig;
  range: IPPrefix;
}

type Identity = Pick<PeerConfig, 'address' | 'range' | 'transport'>;

/**
 * What a configuration is known by: its address in its one form (a link-local one with its zone), its range, or the
 * interface of an unnumbered peer.
 */
export function peerKey({ address, range, transport }: Identity): string {
  if (address === undefined) return range?.toString() ?? transport?.interface ?? '';
  return inOwnZone(address, transport).toString();
}

/** A link-local address without a zone belongs to the interface of the peer's transport. */
function inOwnZone(address: IPAddress, transport: PeerConfig['transport']): IPAddress {
  return address.zone === '' ? address.inZone(transport?.interface ?? '') : address;
}

/** All peers: the configured ones, and those that came out of a range. */
export class PeerTable {
  private readonly all = new Set<Peer>();
  private readonly byAddress = new Map<IPAddress['key'], Peer>();
  /** Unnumbered peers (RFC 8950 §5 has the use): the one neighbour on an interface, whoever it is. */
  private readonly byInterface = new Map<string, Peer>();
  private readonly ranges = new Map<string, PeerRange>();
  /** Grows with every change of a configuration. */
  changes = 0;

  [Symbol.iterator](): Iterator<Peer> {
    return this.all.values();
  }

  get size(): number {
    return this.all.size;
  }

  /** Adds a configuration. Returns the peer, or null for a range. Throws RangeError when it clashes or is malformed. */
  add(config: PeerConfig, now: number): Peer | null {
    this.changes++;
    if (config.range !== undefined) {
      this.addRange(config, config.range);
      return null;
    }
    if (config.address === undefined) {
      const key = peerKey(config);
      if (key === '') throw new RangeError(`peer ${config.name} has no address, range or interface`);
      if (this.byInterface.has(key)) throw new RangeError(`a peer on the interface ${key} exists`);
      const peer = this.enter(new Peer(config, null, false, now));
      this.byInterface.set(key, peer);
      return peer;
    }
    const address = inOwnZone(config.address, config.transport);
    if (address.version === 6 && address.isLinkLocal && address.zone === '') {
      throw new RangeError(`peer ${config.name}: the link-local address ${address} needs an interface`);
    }
    if (this.byAddress.has(address.key)) throw new RangeError(`a peer with the address ${address} exists`);
    return this.enter(new Peer(config, address, false, now));
  }

  private addRange(config: PeerConfig, range: IPPrefix): void {
    const key = peerKey(config);
    if (this.ranges.has(key)) throw new RangeError(`the range ${range} exists`);
    this.ranges.set(key, { config, range });
  }

  private enter(peer: Peer): Peer {
    this.all.add(peer);
    if (peer.address) this.byAddress.set(peer.address.key, peer);
    return peer;
  }

  /** Takes a configuration out, by its key; returns the peers that lived by it. */
  removeConfig(key: string): Peer[] {
    this.changes++;
    const peers = this.of(key);
    this.ranges.delete(key);
    this.byInterface.delete(key);
    for (const peer of peers) this.removePeer(peer);
    return peers;
  }

  /** The peers of a configuration's key: one, or those that came out of the range. */
  of(key: string): Peer[] {
    return [...this.all].filter((peer) => peerKey(peer.config) === key);
  }

  /** The configuration with this key. */
  config(key: string): PeerConfig | undefined {
    return this.ranges.get(key)?.config ?? this.of(key).at(0)?.config;
  }

  /** The configuration by which a connection from this address would be taken in; null: none. */
  configFor(address: IPAddress): PeerConfig | null {
    const known = this.byAddress.get(address.key);
    return (known ?? this.byInterface.get(address.zone))?.config ?? this.rangeOf(address)?.config ?? null;
  }

  /** The interfaces of unnumbered peers. */
  interfaces(): string[] {
    return [...this.byInterface.keys()];
  }

  /** All configurations, those of ranges included. */
  configs(): PeerConfig[] {
    const single = [...this.all].filter((peer) => !peer.dynamic).map((peer) => peer.config);
    return [...single, ...[...this.ranges.values()].map((range) => range.config)];
  }

  /** Puts a changed configuration in the place of the one with the same key. */
  replaceConfig(config: PeerConfig): void {
    this.changes++;
    const range = this.ranges.get(peerKey(config));
    if (range) range.config = config;
    for (const peer of this.of(peerKey(config))) peer.config = config;
  }

  /** The peer that has this address, or null. */
  at(address: IPAddress): Peer | null {
    return this.byAddress.get(address.key) ?? null;
  }

  /** The peer of an address, if need be made from a range; or the reason why there is none. */
  forAddress(address: IPAddress, now: number): Peer | string {
    const known = this.byAddress.get(address.key);
    if (known) return known;
    if (address.zone !== '' && this.byInterface.has(address.zone)) {
      const found = this.neighbourFound(address.zone, address);
      return found ?? `the session on ${address.zone} is with another neighbour`;
    }
    const range = this.rangeOf(address);
    if (!range) return 'no peer is configured with this address';
    const { name, maximumPeers } = range.config;
    if (this.of(peerKey(range.config)).length >= maximumPeers)
      return `${name} has its maximum of ${maximumPeers} peers`;
    return this.enter(new Peer(range.config, address, true, now));
  }

  /**
   * The address of the neighbour on an interface became known. Returns the unnumbered peer there when it is now that
   * neighbour; null when there is none, or when it is busy with another: there is one a link.
   */
  neighbourFound(name: string, address: IPAddress): Peer | null {
    const peer = this.byInterface.get(name);
    if (!peer || peer.address?.equals(address)) return peer ?? null;
    if (peer.current || this.byAddress.has(address.key)) return null;
    if (peer.address) this.byAddress.delete(peer.address.key);
    peer.address = address;
    this.changes++;
    this.byAddress.set(address.key, peer);
    return peer;
  }

  /** Forgets a peer that came out of a range. */
  removePeer(peer: Peer): void {
    this.all.delete(peer);
    const { address } = peer;
    if (address && this.byAddress.get(address.key) === peer) this.byAddress.delete(address.key);
  }

  /** The range with the longest prefix that holds the address. */
  private rangeOf(address: IPAddress): PeerRange | null {
    let best: PeerRange | null = null;
    for (const candidate of this.ranges.values()) {
      if (!candidate.range.contains(address)) continue;
      if (!best || candidate.range.length > best.range.length) best = candidate;
    }
    return best;
  }
}
