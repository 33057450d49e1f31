import {
  type AddressInput,
  addressFrom,
  type IPAddress,
  type IPPrefix,
  type PrefixInput,
  prefixFrom,
} from '../ip/index.ts';

/** The configuration of a peer, or of a range of addresses from which peers may connect. */
export interface PeerConfig {
  /** The name in logs and views. What identifies a peer is its address or range: see `peerKey`. */
  name: string;
  /**
   * The peer's IPv4 or IPv6 address; a link-local address needs a zone or `transport.interface`. Without `address` and
   * `range` the peer is unnumbered: the neighbour on `transport.interface`, whose address is discovered.
   */
  address?: IPAddress;
  /** Peers may connect to us from these addresses. */
  range?: IPPrefix;
  as: number;
  /** The TCP port on which the peer listens. */
  port: number;
  /** Wait for the peer to connect; always true for a range. */
  passive: boolean;
  /** The hold time that we propose, in seconds; 0 or at least 3. */
  holdTime: number;
  /** The longest wait between attempts to connect, in seconds. */
  connectRetry: number;
  /** More received prefixes than this end the session (Cease 6/1): see `maximumPrefixesAction`. */
  maximumPrefixes: number;
  /** For a range: how many peers may exist at a time. */
  maximumPeers: number;
  /** Use default routes from the peer. */
  acceptDefault: boolean;
  /** `own`: advertise only routes that this speaker originates. */
  export: 'own' | 'all';
  /** Advertise our own address as next hop of routes learned from iBGP too. */
  nextHopSelf: boolean;
  /** The peer is a client of this route reflector (RFC 4456). */
  client: boolean;
  /** Reflect routes between clients; true by default. False if all clients are peers of each other. */
  clientToClient?: boolean;
  /** Names of address families; by default only IPv4 unicast. */
  families?: readonly string[];
  /** Exchange IPv4 routes with IPv6 next hops (RFC 8950). */
  extendedNextHop?: boolean;
  /** ADD-PATH (RFC 7911): receive several paths to a prefix; send up to `send` best paths (0: one, without path ids). */
  addPath?: { receive: boolean; send: number };
  /** Offer extended messages (RFC 8654); true by default. */
  extendedMessages?: boolean;
  /** Our restart time (RFC 4724) in seconds. 0: this speaker only helps peers that restart. */
  restartTime?: number;
  /**
   * Retain routes, and ask the peer to retain ours, also when a NOTIFICATION ends the session (RFC 8538). Off by
   * default: an expired hold timer mostly means that the peer has failed, and its routes would lead nowhere.
   */
  notificationKeepsRoutes?: boolean;
  /** How long routes of a peer that does not return are retained as long-lived stale (RFC 9494), in seconds; 0: not. */
  longLivedStaleTime?: number;
  /** Our role towards the peer (RFC 9234). */
  role?: 'provider' | 'customer' | 'peer' | 'rs-server' | 'rs-client';
  /** Refuse a peer that sends no role. */
  roleStrict?: boolean;
  /** The AS that the peer sees instead of our own (RFC 7705). */
  localAs?: number;
  /**
   * `prepend` (default): `localAs` is prepended to received paths, and to our own AS in sent ones. `no-prepend`: received
   * paths stay as they are. `replace-as`: besides, sent paths do not have our own AS.
   */
  localAsMode?: 'prepend' | 'no-prepend' | 'replace-as';
  /** Replace the peer's AS by ours in sent AS_PATHs. */
  asOverride?: boolean;
  /** How often our own AS may occur in a received AS_PATH; 0 by default. */
  allowAsIn?: number;
  /** Refuse paths that do not start with the peer's AS; true by default, except from a route server. */
  enforceFirstAs?: boolean;
  /** Remove private AS numbers (RFC 6996) from sent AS_PATHs. */
  removePrivateAs?: boolean;
  /** Received paths with more AS numbers are not used. */
  maximumAsPathLength?: number;
  /** More octets of the peer's path attributes than this end the session (Cease 6/8). */
  maximumAttributeOctets: number;
  /** Exchange AIGP (RFC 7311); by default only with internal peers. */
  aigp?: boolean;
  /** Use routes with the community BLACKHOLE (RFC 7999) from an external peer. */
  acceptBlackhole?: boolean;
  /** The share of `maximumPrefixes`, 0–1, above which a warning is reported. */
  maximumPrefixesWarning?: number;
  /** Above the maximum: `reset` ends the session (the default), `drop` ignores further routes. */
  maximumPrefixesAction?: 'reset' | 'drop';
  /** How long after too many prefixes the peer is connected to again, in seconds; Infinity: never. */
  maximumPrefixesRestart?: number;
  /**
   * Names of the import and export policy. Without one no routes are exchanged with an eBGP peer in that direction
   * (RFC 8212), unless `requirePolicy` is false.
   */
  importPolicy?: string;
  exportPolicy?: string;
  requirePolicy?: boolean;
  /** How the TCP connection is made and protected. */
  transport?: TransportConfig;
}

/** Options of a peer's TCP connection. The core passes them through; only the host in net/ uses them. */
export interface TransportConfig {
  /** Our address on the connection; by default the host's. */
  localAddress?: IPAddress;
  /** The interface of a link-local or unnumbered peer; otherwise the connection is bound to it. */
  interface?: string;
  /** The key of TCP MD5 signatures (RFC 2385), at most 80 octets. */
  password?: string;
  /** GTSM (RFC 5082): the peer is at most this many hops away; 1: on the link. */
  ttlSecurity?: number;
  /** The TTL of sent packets, for peers that are not on the link. */
  ttl?: number;
  /** Differentiated services code point; 48 (CS6) by default. */
  dscp?: number;
  /**
   * TCP user time-out (RFC 5482) in ms; by default the kernel's. It also ends a session whose peer keeps its window
   * closed for this long, so it should exceed the hold time.
   */
  userTimeoutMs?: number;
}

/** Fields that are sent in the OPEN, or that change routes when they are received. */
const FIXED = ['as', 'client', 'localAs', 'localAsMode', 'role', 'roleStrict', 'aigp'] as const;

/** Whether a session under `before` has to be reset to apply `after`. */
export function needsReset(before: PeerConfig, after: PeerConfig): boolean {
  return resetReasons(before, after).length > 0;
}

/** The changed fields that need a reset of the session. */
export function resetReasons(before: PeerConfig, after: PeerConfig): string[] {
  // A key can be replaced on a live connection, but a connection is signed from its start to its end, or never.
  const signed = ({ transport }: PeerConfig): boolean => transport?.password !== undefined;
  const fields: string[] = FIXED.filter((field) => before[field] !== after[field]);
  if (signed(before) !== signed(after)) fields.push('password');
  // The number of paths counts too: paths above a lower number would never be withdrawn.
  const paths = ({ addPath }: PeerConfig): string => `${addPath?.receive ?? false} ${addPath?.send ?? 0}`;
  if (paths(before) !== paths(after)) fields.push('addPath');
  return fields;
}

/** A peer's configuration as users of the library write it: addresses may be text, and only `as` is required. */
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
  const peer = {
    ...(address !== undefined && { address: addressFrom(address, 'address') }),
    ...(range !== undefined && { range: prefixFrom(range, 'range') }),
  };
  return {
    name: String(peer.address ?? peer.range ?? 'peer'),
    port: 179,
    passive: range !== undefined,
    holdTime: 90,
    connectRetry: 5,
    maximumPrefixes: 1_000_000,
    maximumPeers: 1000,
    maximumAttributeOctets: 64 * 1024 * 1024,
    acceptDefault: false,
    export: 'all',
    nextHopSelf: false,
    client: false,
    requirePolicy: false,
    ...fields,
    ...peer,
    ...(transport && { transport: transportConfig(transport) }),
  };
}

function transportConfig({ localAddress, ...rest }: TransportOptions): TransportConfig {
  if (localAddress === undefined) return rest;
  return { ...rest, localAddress: addressFrom(localAddress, 'transport.localAddress') };
}
