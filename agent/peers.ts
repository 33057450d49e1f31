/** Peers of the settings as the BGP library takes them. */
import { toPeerConfig } from '@flatroute/common/config/peers.ts';
import type { PeerConfig } from 'bgp-js';
import type { PeerSettings } from './config/settings.ts';

/** A peer of the settings as the BGP library takes it. */
export function peerConfig(peer: PeerSettings): PeerConfig {
  // An agent limits every peer and exports only its own routes to eBGP by default, so it asks for no policy (RFC 8212 §3).
  return { ...toPeerConfig(peer), requirePolicy: false, client: false };
}
