import {
  type AddressRange,
  formatAddress,
  inRange,
  isLinkLocal,
  parseAddress,
  parseRange,
} from '../wire/address.ts';
import { Peer } from './peer.ts';
import type { PeerConfig } from './peer-config.ts';

/** A range of addresses from which peers may connect. */
interface PeerRange {
  config: PeerConfig;
  range: AddressRange;
}

type Identity = Pick<PeerConfig, 'address' | 'range' | 'transport'>;

/**
 * What a configuration is known by: its address in its one form (a link-local one with its zone), its range, or the
 * interface of an unnumbered peer.
 */
export function peerKey({ address, range, transport }: Identity): string {
  if (address === undefined) return range ?? transport?.interface ?? '';
  const parsed = parseAddress(address);
  if (!parsed) return address;
  const zone = parsed.zone === '' && isLinkLocal(parsed) ? (transport?.interface ?? '') : parsed.zone;
  return formatAddress({ bytes: parsed.bytes, zone });
}

/** All peers: the configured ones, and those that came out of a range. */
export class PeerTable {
  private readonly all = new Set<Peer>();
  private readonly byAddress = new Map<string, Peer>();
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
    const key = peerKey(config);
    if (config.address === undefined) {
      if (key === '') throw new RangeError(`peer ${config.name} has no address, range or interface`);
      if (this.byInterface.has(key)) throw new RangeError(`a peer on the interface ${key} exists`);
      const peer = this.enter(new Peer(config, '', false, now));
      this.byInterface.set(key, peer);
      return peer;
    }
    const address = parseAddress(key);
    if (!address) throw new RangeError(`peer ${config.name}: ${config.address} is not an IP address`);
    if (isLinkLocal(address) && address.zone === '') {
      throw new RangeError(`peer ${config.name}: the link-local address ${key} needs an interface`);
    }
    if (this.byAddress.has(key)) throw new RangeError(`a peer with the address ${key} exists`);
    return this.enter(new Peer(config, key, false, now));
  }

  private addRange(config: PeerConfig, text: string): void {
    const range = parseRange(text);
    if (!range) throw new RangeError(`${text} is not a range of addresses`);
    if (this.ranges.has(text)) throw new RangeError(`the range ${text} exists`);
    this.ranges.set(text, { config, range });
  }

  private enter(peer: Peer): Peer {
    this.all.add(peer);
    if (peer.address !== '') this.byAddress.set(peer.address, peer);
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
  configFor(text: string): PeerConfig | null {
    const known = this.byAddress.get(text);
    const zone = text.split('%')[1] ?? '';
    return (known ?? this.byInterface.get(zone))?.config ?? this.rangeOf(text)?.config ?? null;
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
  at(address: string): Peer | null {
    return this.byAddress.get(address) ?? null;
  }

  /** The peer of an address, if need be made from a range; or the reason why there is none. */
  forAddress(text: string, now: number): Peer | string {
    const known = this.byAddress.get(text);
    if (known) return known;
    const address = parseAddress(text);
    if (!address) return 'its address cannot be read';
    if (address.zone !== '' && this.byInterface.has(address.zone)) {
      const found = this.neighbourFound(address.zone, text);
      return found ?? `the session on ${address.zone} is with another neighbour`;
    }
    const range = this.rangeOf(text);
    if (!range) return 'no peer is configured with this address';
    const { name, maximumPeers } = range.config;
    if (this.of(peerKey(range.config)).length >= maximumPeers)
      return `${name} has its maximum of ${maximumPeers} peers`;
    return this.enter(new Peer(range.config, text, true, now));
  }

  /**
   * The address of the neighbour on an interface became known. Returns the unnumbered peer there when it is now that
   * neighbour; null when there is none, or when it is busy with another: there is one a link.
   */
  neighbourFound(name: string, address: string): Peer | null {
    const peer = this.byInterface.get(name);
    if (!peer || peer.address === address) return peer ?? null;
    if (peer.current || this.byAddress.has(address)) return null;
    this.byAddress.delete(peer.address);
    peer.address = address;
    this.changes++;
    this.byAddress.set(address, peer);
    return peer;
  }

  /** Forgets a peer that came out of a range. */
  removePeer(peer: Peer): void {
    this.all.delete(peer);
    if (this.byAddress.get(peer.address) === peer) this.byAddress.delete(peer.address);
  }

  /** The range with the longest prefix that holds the address. */
  private rangeOf(text: string): PeerRange | null {
    const address = parseAddress(text);
    let best: PeerRange | null = null;
    for (const candidate of this.ranges.values()) {
      if (!address || !inRange(candidate.range, address)) continue;
      if (!best || candidate.range.length > best.range.length) best = candidate;
    }
    return best;
  }
}
