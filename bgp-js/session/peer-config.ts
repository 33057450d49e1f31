import {
  type AddressInput,
  addressFrom,
  type IPAddress,
  type IPPrefix,
  type PrefixInput,
  prefixFrom,
} from '../ip/index.ts';

/** What is configured of a peer, or of a range of addresses from which peers may connect. */
export interface PeerConfig {
  /** For people. A peer is known by its address or range. */
  name: string;
  /**
   * The peer's IPv4 or IPv6 address; a link-local one has its zone, or `transport.interface`. Without `address` and
   * `range` the peer is unnumbered: the one neighbour on `transport.interface`, whose address is found.
   */
  address?: IPAddress;
  /** Peers connect to us from these addresses. */
  range?: IPPrefix;
  as: number;
  /** Where the peer listens. */
  port: number;
  /** Wait for the peer to connect; always so for a range. */
  passive: boolean;
  /** Seconds that we propose; 0 or at least 3. */
  holdTime: number;
  /** Seconds: the longest wait between attempts to connect. */
  connectRetry: number;
  /** More prefixes than this end the session (Cease 6/1). */
  maximumPrefixes: number;
  /** For a range: how many peers may be there at once. */
  maximumPeers: number;
  acceptDefault: boolean;
  /** `own`: tell the peer only what this speaker originates. */
  export: 'own' | 'all';
  /** Give our own address as next hop also for routes learned from iBGP. */
  nextHopSelf: boolean;
  /** The peer is a client of this route reflector. */
  client: boolean;
  /** A client is told the routes of other clients; true by default. False where all clients are peers of each other. */
  clientToClient?: boolean;
  /** Names of address families; by default IPv4 unicast alone. */
  families?: readonly string[];
  /** Take and give IPv4 routes with IPv6 next hops (RFC 8950). */
  extendedNextHop?: boolean;
  /** RFC 7911: take several paths to a prefix; give up to `send` of the best ones (0: one, without path ids). */
  addPath?: { receive: boolean; send: number };
  /** RFC 8654; offered unless false. */
  extendedMessages?: boolean;
  /** RFC 4724; seconds. 0: this speaker only helps peers that restart. */
  restartTime?: number;
  /**
   * RFC 8538: keep routes, and ask the peer to keep ours, also when a NOTIFICATION ends the session. Off by default: an
   * expired hold timer mostly means that the peer is gone, and its routes would lead nowhere.
   */
  notificationKeepsRoutes?: boolean;
  /** RFC 9494: seconds for which routes of a peer that stays away are kept as stale ones; 0: none. */
  longLivedStaleTime?: number;
  /** RFC 9234: what we are to the peer. */
  role?: 'provider' | 'customer' | 'peer' | 'rs-server' | 'rs-client';
  /** Refuse a peer that does not say its role. */
  roleStrict?: boolean;
  /** RFC 7705: the AS that we show this peer instead of our own. */
  localAs?: number;
  /**
   * `prepend` (default): `localAs` goes before the paths that come in, and before our own AS in those that go out.
   * `no-prepend`: paths that come in stay as they are. `replace-as`: moreover, our own AS is not shown.
   */
  localAsMode?: 'prepend' | 'no-prepend' | 'replace-as';
  /** Put our AS in the place of the peer's in AS_PATHs that go out. */
  asOverride?: boolean;
  /** How often our own AS may stand in an AS_PATH that comes in; 0 by default. */
  allowAsIn?: number;
  /** Refuse paths that do not begin with the peer's AS; true by default, but for a route server's clients. */
  enforceFirstAs?: boolean;
  /** Take private AS numbers (RFC 6996) out of AS_PATHs that go out. */
  removePrivateAs?: boolean;
  /** Paths with more AS numbers are unusable. */
  maximumAsPathLength?: number;
  /** Octets of path attributes that the peer may make us hold; above, the session ends (Cease 6/8). 64 MiB by default. */
  maximumAttributeOctets?: number;
  /** Take and give AIGP (RFC 7311): by default with internal peers alone. */
  aigp?: boolean;
  /** Use routes with the community BLACKHOLE (RFC 7999) from an external peer. */
  acceptBlackhole?: boolean;
  /** A share of `maximumPrefixes`, 0–1, at which a warning is told. */
  maximumPrefixesWarning?: number;
  /** Above the maximum the session ends (`reset`, the default), or further routes are dropped and it goes on. */
  maximumPrefixesAction?: 'reset' | 'drop';
  /** Seconds after which a session that ended for too many prefixes is tried again; Infinity: never. */
  maximumPrefixesRestart?: number;
  /**
   * Names of the policies for what comes in and goes out. An eBGP peer without one gets and gives nothing (RFC 8212),
   * unless `requirePolicy` is false.
   */
  importPolicy?: string;
  exportPolicy?: string;
  requirePolicy?: boolean;
  /** How the TCP connection is made and protected. */
  transport?: TransportConfig;
}

/** Octets of path attributes that a peer may make us hold, where nothing else is said. */
const ATTRIBUTE_OCTETS = 64 * 1024 * 1024;

/** The limits of a peer that has some by default. */
export function peerLimits({ maximumAttributeOctets = ATTRIBUTE_OCTETS }: PeerConfig): {
  maximumAttributeOctets: number;
} {
  return { maximumAttributeOctets };
}

/** The TCP connection of a session: read by net/ alone. */
export interface TransportConfig {
  /** Our address; by default that of the host. */
  localAddress?: IPAddress;
  /** The interface of a link-local or unnumbered peer, or to which the connection is bound. */
  interface?: string;
  /** Key of the TCP MD5 signature (RFC 2385), at most 80 octets. */
  password?: string;
  /** GTSM (RFC 5082): the peer is at most so many hops away; 1: on the link. */
  ttlSecurity?: number;
  /** TTL of what we send: for peers that are not on the link. */
  ttl?: number;
  /** Differentiated services code point; 48 (CS6) by default. */
  dscp?: number;
  /**
   * TCP user time-out (RFC 5482) in ms; by default the kernel's. It also ends a session whose peer leaves its window
   * shut for so long, so it should exceed the hold time.
   */
  userTimeoutMs?: number;
}

/** What is said in the OPEN, or changes routes as they come in. */
const FIXED = ['as', 'client', 'localAs', 'localAsMode', 'role', 'roleStrict', 'aigp'] as const;

/** Whether a session made by `before` cannot go on under `after`. */
export function needsReset(before: PeerConfig, after: PeerConfig): boolean {
  return resetReasons(before, after).length > 0;
}

/** The fields for which a session made by `before` cannot go on under `after`. */
export function resetReasons(before: PeerConfig, after: PeerConfig): string[] {
  // A key can be exchanged on a live connection, but signing begins and ends with the connection.
  const signed = ({ transport }: PeerConfig): boolean => transport?.password !== undefined;
  const fields: string[] = FIXED.filter((field) => before[field] !== after[field]);
  if (signed(before) !== signed(after)) fields.push('password');
  // Also how many paths are sent: path identifiers above a lower number would never be withdrawn.
  const ways = ({ addPath }: PeerConfig): string => `${addPath?.receive ?? false} ${addPath?.send ?? 0}`;
  if (ways(before) !== ways(after)) fields.push('addPath');
  return fields;
}

/** A peer's configuration as the library's user writes it: addresses may be text, and all but `as` has a default. */
export interface PeerOptions extends Partial<Omit<PeerConfig, 'address' | 'range' | 'transport'>> {
  as: number;
  address?: AddressInput;
  /** `ADDRESS/LENGTH`. */
  range?: PrefixInput;
  transport?: TransportOptions;
}

/** {@link TransportConfig} with the address as text or value. */
export interface TransportOptions extends Omit<TransportConfig, 'localAddress'> {
  localAddress?: AddressInput;
}

/**
 * The configuration of a peer, with defaults for what `options` leaves out. An eBGP peer may lack policies (RFC 8212 §3
 * lets a configuration choose this); `requirePolicy: true` changes that. Throws RangeError for text that is not an
 * address or a prefix.
 */
export function peerConfig(options: PeerOptions): PeerConfig {
  const { address, range, transport, ...fields } = options;
  return {
    name: String(address ?? range ?? 'peer'),
    port: 179,
    passive: range !== undefined,
    holdTime: 90,
    connectRetry: 5,
    maximumPrefixes: 1_000_000,
    maximumPeers: 1000,
    acceptDefault: false,
    export: 'all',
    nextHopSelf: false,
    client: false,
    requirePolicy: false,
    ...fields,
    ...(address !== undefined && { address: addressFrom(address, 'address') }),
    ...(range !== undefined && { range: prefixFrom(range, 'range') }),
    ...(transport && { transport: transportConfig(transport) }),
  };
}

function transportConfig({ localAddress, ...rest }: TransportOptions): TransportConfig {
  if (localAddress === undefined) return rest;
  return { ...rest, localAddress: addressFrom(localAddress, 'transport.localAddress') };
}
