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
  return {
    as,
    routerId: addressOf(routerId, 'routerId', 4),
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

/** What the shell around the core has to do. */
export type SpeakerAction =
  /** Open a TCP connection; answer with `connected` or `disconnected`. */
  | { type: 'connect'; connection: number; address: IPAddress; port: number; peer: PeerConfig }
  /** Send `farewell` after whatever was taken with `transmit`, then close. */
  | { type: 'close'; connection: number; lastBytes: Uint8Array | null };

/** Something worth telling: for logs, events and hooks. Times are the caller's. */
export type SpeakerEvent =
  | { type: 'state'; peer: string; from: SessionState; to: SessionState; reason: string }
  | { type: 'established'; peer: string; address: string; as: number }
  | { type: 'down'; peer: string; reason: string }
  /** The peer has sent its whole table (RFC 4724 §2). */
  | { type: 'end-of-rib'; peer: string; family: string }
  /** An attempt to connect failed; the speaker keeps retrying. */
  | { type: 'unreachable'; peer: string; reason: string }
  | { type: 'refused'; address: string; reason: string; count: number }
  /** An option of the peer's TCP connection could not be set; the peer's name, or `listener`. */
  | { type: 'transport'; peer: string; text: string }
  /** A limit is near. */
  | { type: 'limit'; peer: string; text: string }
  /** A defect that did not end the session. */
  | { type: 'defect'; peer: string; text: string; handling: string; hex: string };

/** A peer as it is now, for people. */
export interface PeerStatus {
  name: string;
  address: string;
  range?: string;
  as: number;
  internal: boolean;
  state: SessionState;
  /** When the state was entered, in ms of the caller's clock. */
  since: number;
  routerId: string | null;
  lastError: { at: number; text: string } | null;
  /** Seconds, once negotiated. */
  holdTime: number | null;
  capabilities: string[];
  /** `dropped`: not taken in, because there were more than the maximum. */
  prefixes: {
    received: number;
    accepted: number;
    best: number;
    sent: number;
    dropped: number;
    maximum: number;
  };
  /** Octets of path attributes that the peer makes us hold. */
  attributeOctets: number;
  /** By direction: the policy that it has, and whether it needs one and has none (RFC 8212). */
  policies: Record<'import' | 'export', { name: string | null; missing: boolean }>;
  counters: PeerCounters;
}

/** Attributes of a route that this speaker originates. */
export interface OriginateOptions {
  med?: number;
  localPref?: number;
  /** Standard communities as unsigned numbers. */
  communities?: number[];
  largeCommunities?: LargeCommunity[];
}
