/** The keys of a peer that agent and reflector share, the settings they become, and what the BGP library gets. */
import { type PeerConfig, peerConfig } from 'bgp-js';
import type { IPAddress, IPPrefix } from 'bgp-js/ip';
import * as z from 'zod';
import { peerPolicyKeys } from './policy.ts';
import { type SessionSettings, sessionKeys, sessionSettings } from './session.ts';
import * as value from './values.ts';

/** How long peers keep our routes when the daemon disappears without closing its sessions (RFC 4724); seconds. */
const RESTART_SECONDS = 120;

/** The keys of a peer in both daemons; docs/configuration.md lists them. */
export const peerKeys = {
  address: z.optional(value.anyHostAddress),
  range: z.optional(value.anyPrefix),
  as: value.asNumber,
  name: z.optional(value.text(64)),
  port: value.port.default(179),
  passive: z.optional(value.flag),
  holdTime: z.optional(value.holdTime),
  connectRetry: z.optional(value.duration(1, 3600)),
  maximumPrefixes: z.optional(value.integer(1, 100_000_000)),
  ...peerPolicyKeys,
  ...sessionKeys,
};

type PeerKeys = z.output<z.ZodObject<typeof peerKeys>> & { maximumPeers: number };

/** The defaults of the section `bgp`, for peers that do not say otherwise. */
interface PeerDefaults {
  holdTime: number;
  connectRetry: number;
  maximumPrefixes: number;
}

/** One peer, or one prefix from which peers may connect. */
export interface ConfiguredPeer extends SessionSettings {
  /** For views and logs; by default the address or the range. */
  name: string;
  /** A single peer's address; exactly one of `address` and `range` is set. */
  address?: IPAddress;
  /** Peers connect to us from this prefix; we never connect to them. */
  range?: IPPrefix;
  /** The peer's AS number, 1–4294967294. */
  as: number;
  port: number;
  /** Wait for the peer to connect. Always true for a range. */
  passive: boolean;
  /** Proposed hold time: 0 (no keepalives) or 3–65535 seconds. */
  holdTimeSeconds: number;
  connectRetrySeconds: number;
  /** The session is closed (Cease 6/1) when the peer sends more prefixes than this. */
  maximumPrefixes: number;
  /** For a range: how many peers may connect from it at once. */
  maximumPeers: number;
  /** Names of the policies for routes received from the peer and advertised to it; null: none. */
  importPolicy: string | null;
  exportPolicy: string | null;
}

/** The settings of a peer, with the defaults filled in. */
export function configuredPeer(peer: PeerKeys, defaults: PeerDefaults): ConfiguredPeer {
  const { address, range } = peer;
  return {
    name: peer.name ?? String(address ?? range ?? ''),
    ...(address === undefined ? { range } : { address }),
    as: peer.as,
    port: peer.port,
    passive: range !== undefined || (peer.passive ?? false),
    holdTimeSeconds: peer.holdTime ?? defaults.holdTime,
    connectRetrySeconds: peer.connectRetry ?? defaults.connectRetry,
    maximumPrefixes: peer.maximumPrefixes ?? defaults.maximumPrefixes,
    maximumPeers: peer.maximumPeers,
    importPolicy: peer.import ?? null,
    exportPolicy: peer.export ?? null,
    ...sessionSettings(peer),
  };
}

/** The settings of a peer as the BGP library takes them; a daemon adds the fields that it decides itself. */
export function toPeerConfig<P extends ConfiguredPeer>(peer: P): PeerConfig {
  const { holdTimeSeconds, connectRetrySeconds, importPolicy, exportPolicy, ...rest } = peer;
  return peerConfig({
    restartTime: RESTART_SECONDS,
    ...rest,
    holdTime: holdTimeSeconds,
    connectRetry: connectRetrySeconds,
    importPolicy: importPolicy ?? undefined,
    exportPolicy: exportPolicy ?? undefined,
    nextHopSelf: false,
  });
}
