/** Clients of the settings as the BGP library takes them. */
import { toPeerConfig } from '@flatroute/common/config/peers.ts';
import type { PeerConfig } from 'bgp-js';
import type { ClientSettings } from './config/settings.ts';

/** A client of the settings as the BGP library takes it. */
export function peerConfig(client: ClientSettings): PeerConfig {
  return { ...toPeerConfig(client), acceptDefault: true, export: 'all', requirePolicy: true };
}
