import { type IPv4Prefix, maskOf, parseIPv4, parsePrefix } from '../wire/prefix.ts';
import { Peer } from './peer.ts';
import type { PeerConfig } from './peer-config.ts';

/** A range of addresses from which peers may connect. */
interface PeerRange {
  config: PeerConfig;
  prefix: IPv4Prefix;
}

/** What a configuration is known by: its address or its range. */
export function peerKey(config: Pick<PeerConfig, 'address' | 'range'>): string {
  return config.address ?? config.range ?? '';
}

/** All peers: the configured ones, and those that came out of a range. */
export class PeerTable {
  private readonly byAddress = new Map<string, Peer>();
  private readonly ranges = new Map<string, PeerRange>();

  [Symbol.iterator](): Iterator<Peer> {
    return this.byAddress.values();
  }

  get size(): number {
    return this.byAddress.size;
  }

  /** Adds a configuration. Returns the peer, or null for a range. Throws RangeError when it clashes or is malformed. */
  add(config: PeerConfig, now: number): Peer | null {
    if (config.range !== undefined) {
      const prefix = parsePrefix(config.range);
      if (!prefix) throw new RangeError(`${config.range} is not an IPv4 range`);
      if (this.ranges.has(config.range)) throw new RangeError(`the range ${config.range} exists`);
      this.ranges.set(config.range, { config, prefix });
      return null;
    }
    const { address } = config;
    if (address === undefined || parseIPv4(address) < 0) {
      throw new RangeError(`peer ${config.name} has no IPv4 address`);
    }
    if (this.byAddress.has(address)) throw new RangeError(`a peer with the address ${address} exists`);
    const peer = new Peer(config, address, false, now);
    this.byAddress.set(address, peer);
    return peer;
  }

  /** Takes a configuration out, by its address or range; returns the peers that lived by it. */
  remove(key: string): Peer[] {
    const peers = this.of(key);
    this.ranges.delete(key);
    for (const peer of peers) this.byAddress.delete(peer.address);
    return peers;
  }

  /** The peers of a configured address or range: one, or those that came out of the range. */
  of(key: string): Peer[] {
    return [...this.byAddress.values()].filter((peer) => peerKey(peer.config) === key);
  }

  /** The configuration of this address or range. */
  config(key: string): PeerConfig | undefined {
    return this.ranges.get(key)?.config ?? this.of(key).at(0)?.config;
  }

  /** Puts a changed configuration in the place of the one with the same address or range. */
  replaceConfig(config: PeerConfig): void {
    const range = this.ranges.get(peerKey(config));
    if (range) range.config = config;
    for (const peer of this.of(peerKey(config))) peer.config = config;
  }

  /** The peer of an address, if need be made from a range; or the reason why there is none. */
  forAddress(address: string, now: number): Peer | string {
    const known = this.byAddress.get(address);
    if (known) return known;
    const value = parseIPv4(address);
    const range = value < 0 ? null : this.rangeOf(value);
    if (!range) return 'no peer is configured with this address';
    const { name, maximumPeers } = range.config;
    if (this.of(peerKey(range.config)).length >= maximumPeers)
      return `${name} has its maximum of ${maximumPeers} peers`;
    const peer = new Peer(range.config, address, true, now);
    this.byAddress.set(address, peer);
    return peer;
  }

  /** Forgets a peer that came out of a range. */
  forget(peer: Peer): void {
    if (this.byAddress.get(peer.address) === peer) this.byAddress.delete(peer.address);
  }

  /** The range with the longest prefix that holds the address. */
  private rangeOf(address: number): PeerRange | null {
    let best: PeerRange | null = null;
    for (const range of this.ranges.values()) {
      const inside = (address & maskOf(range.prefix.length)) >>> 0 === range.prefix.address;
      if (inside && (!best || range.prefix.length > best.prefix.length)) best = range;
    }
    return best;
  }
}
