/** From the settings of peers to what the BGP library takes. */
import type { PeerConfig } from 'bgp-js';
import type { PeerSettings } from './config/settings.ts';

/** How long peers keep our routes when this agent goes away without a word (RFC 4724). */
const RESTART_SECONDS = 120;

/** A peer of the settings as the BGP library takes it. */
export function peerConfig(peer: PeerSettings): PeerConfig {
  const { holdTimeSeconds, connectRetrySeconds, importPolicy, exportPolicy, address, range, ...rest } = peer;
  return {
    restartTime: RESTART_SECONDS,
    ...rest,
    ...(address === undefined ? { range: range?.toString() } : { address: address.toString() }),
    holdTime: holdTimeSeconds,
    connectRetry: connectRetrySeconds,
    nextHopSelf: false,
    importPolicy: importPolicy ?? undefined,
    exportPolicy: exportPolicy ?? undefined,
    // The limits of every peer and `export`, which is "own" for eBGP, stand in for policies (RFC 8212 §3).
    requirePolicy: false,
    client: false,
  };
}
