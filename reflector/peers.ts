/** From the settings of clients to what the BGP library takes. */
import type { PeerConfig } from 'bgp-js';
import type { ClientSettings } from './config/settings.ts';

/** How long clients keep the routes when this reflector goes away without a word (RFC 4724). */
const RESTART_SECONDS = 120;

/** A client of the settings as the BGP library takes it. */
export function peerConfig(client: ClientSettings): PeerConfig {
  const { holdTimeSeconds, connectRetrySeconds, importPolicy, exportPolicy, address, range, ...rest } =
    client;
  return {
    restartTime: RESTART_SECONDS,
    ...rest,
    ...(address === undefined ? { range: range?.toString() } : { address: address.toString() }),
    holdTime: holdTimeSeconds,
    connectRetry: connectRetrySeconds,
    acceptDefault: true,
    export: 'all',
    nextHopSelf: false,
    importPolicy: importPolicy ?? undefined,
    exportPolicy: exportPolicy ?? undefined,
  };
}
