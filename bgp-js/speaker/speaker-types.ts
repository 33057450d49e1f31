import { type AddressInput, addressFrom, type IPAddress, type IPVersion } from '../ip/index.ts';
import type { PeerCounters, SessionState } from '../session/peer.ts';
import type { PeerConfig } from '../session/peer-config.ts';
import type { LargeCommunity } from '../wire/communities.ts';

/** The configuration of a speaker; peers are added one by one. */
export interface SpeakerConfig {
  as: number;
  /** The BGP identifier (RFC 6286): 32 bits, written like an IPv4 address; not 0.0.0.0. */
  routerId: IPAddress;
  /**
   * Our IPv4 address: the next hop of our IPv4 routes on sessions over IPv6, where RFC 8950 was not agreed; routes with
   * this next hop are not accepted. Null: none. A session over IPv4 has its own local address as next hop.
   */
  address: IPAddress | null;
  /** The same for IPv6: the next hop of IPv6 routes on sessions over IPv4, and beside a link-local next hop. */
  address6: IPAddress | null;
  /** The cluster id of a route reflector (RFC 4456); null: the speaker does not reflect. */
  clusterId: IPAddress | null;
  /** How many equal paths count as one multipath set; 1: no multipath. */
  maximumPaths: number;
  /**
   * This speaker comes back after a restart during which it went on forwarding: peers that support graceful restart
   * learn this from our OPEN (RFC 4724 §4.1).
   */
  restarted: boolean;
}

/** A speaker's configuration as the library's user writes it: addresses may be text, and most keys have a default. */
export interface SpeakerOptions {
  as: number;
  routerId: AddressInput;
  /** An unspecified address, such as that of a listener on 0.0.0.0, counts as none. */
  address?: AddressInput | null;
  address6?: AddressInput | null;
  clusterId?: AddressInput | null;
  /** 1 by default. */
  maximumPaths?: number;
  /** False by default. */
  restarted?: boolean;
}

/** The configuration with the options' defaults. Throws RangeError for text that is not an address of the right family. */
export function speakerConfig(options: SpeakerOptions): SpeakerConfig {
  const { as, routerId, clusterId = null, maximumPaths = 1, restarted = false } = options;
  const identifier = addressOf(routerId, 'routerId', 4);
  if (identifier.isUnspecified) throw new RangeError('routerId: 0.0.0.0 is not a BGP identifier (RFC 6286)');
  return {
    as,
    routerId: identifier,
    address: ownAddress(options.address, 'address', 4),
    address6: ownAddress(options.address6, 'address6', 6),
    clusterId: clusterId === null ? null : addressOf(clusterId, 'clusterId', 4),
    maximumPaths,
    restarted,
  };
}

function addressOf(input: AddressInput, option: string, version: IPVersion): IPAddress {
  const address = addressFrom(input, option);
  if (address.version === version) return address;
  throw new RangeError(`${option}: ${address} is not an IPv${version} address`);
}

/** Null for an unspecified address: it is no next hop, and no route that has none may be taken for one with ours. */
function ownAddress(
  input: AddressInput | null | undefined,
  option: string,
  version: IPVersion,
): IPAddress | null {
  if (input === null || input === undefined) return null;
  return addressFrom(input, option).isUnspecified ? null : addressOf(input, option, version);
}

/** What the shell around the core has to perform. */
export type SpeakerAction =
  /** Open a TCP connection; answer with `connected` or `disconnected`. */
  | { type: 'connect'; connection: number; address: IPAddress; port: number; peer: PeerConfig }
  /** Send `lastBytes` after everything taken with `transmit`, then close. */
  | { type: 'close'; connection: number; lastBytes: Uint8Array | null };

/** Something that happened, for logs and hooks. `peer` is the peer's name; `reason` and `text` are readable. */
export type SpeakerEvent =
  /** The state of the session changed (RFC 4271 §8.2.2). */
  | { type: 'state'; peer: string; from: SessionState; to: SessionState; reason: string }
  | { type: 'established'; peer: string; address: string; as: number }
  /** An established session ended. */
  | { type: 'down'; peer: string; reason: string }
  /** The peer has sent its whole table (RFC 4724 §2). */
  | { type: 'end-of-rib'; peer: string; family: string }
  /** An attempt to connect failed; the speaker keeps retrying. */
  | { type: 'unreachable'; peer: string; reason: string }
  /** A connection was refused; `count`: how many from this address so far. */
  | { type: 'refused'; address: string; reason: string; count: number }
  /** An option of the peer's TCP connection could not be set; the peer's name, or `listener`. */
  | { type: 'transport'; peer: string; text: string }
  /** The peer is near a limit, or above one that does not end the session. */
  | { type: 'limit'; peer: string; text: string }
  /** The peer sent something malformed. `handling` is that of RFC 7606; `hex` is the start of the message. */
  | { type: 'defect'; peer: string; text: string; handling: string; hex: string };

/** A peer as it is now. */
export interface PeerStatus {
  name: string;
  /** The peer's address; the interface of an unnumbered peer whose neighbour is unknown. */
  address: string;
  /** The range that the peer came from. */
  range?: string;
  as: number;
  /** The session is iBGP. */
  internal: boolean;
  state: SessionState;
  /** When the state was entered, in ms of the caller's clock. */
  since: number;
  /** The peer's BGP identifier, once negotiated. */
  routerId: string | null;
  /** The time is in ms of the caller's clock. */
  lastError: { at: number; text: string } | null;
  /** Seconds, once negotiated. */
  holdTime: number | null;
  /** Names of the capabilities that the peer sent. */
  capabilities: string[];
  prefixes: {
    /** In Adj-RIB-In, usable or not. */
    received: number;
    /** Usable after the import policy. */
    accepted: number;
    /** Best paths. */
    best: number;
    /** Advertised to the peer. */
    sent: number;
    /** Ignored, because they were above the maximum. */
    dropped: number;
    maximum: number;
  };
  /** Octets of path attributes that we hold because of the peer. */
  attributeOctets: number;
  /** By direction: the name of the policy, and whether the peer needs one and has none (RFC 8212). */
  policies: Record<'import' | 'export', { name: string | null; missing: boolean }>;
  counters: PeerCounters;
}

/** Attributes of a route that this speaker originates. */
export interface OriginateOptions {
  /** MULTI_EXIT_DISC (RFC 4271 §5.1.4). */
  med?: number;
  /** LOCAL_PREF (RFC 4271 §5.1.5). */
  localPref?: number;
  /** Standard communities as unsigned numbers. */
  communities?: number[];
  largeCommunities?: LargeCommunity[];
}
