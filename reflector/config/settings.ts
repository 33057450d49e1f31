/** The reflector's settings: reflector.yaml after it was read and checked, with every default filled in. */
import type { ConfiguredPeer } from '@flatroute/common/config/peers.ts';
import type { Endpoint } from '@flatroute/common/config/values.ts';
import type { PolicySet } from 'bgp-js';
import type { IPAddress } from 'bgp-js/ip';

/** A client of the reflector, or another of its peers. */
export interface ClientSettings extends ConfiguredPeer {
  /** False: an ordinary iBGP peer to which routes of other non-clients are not reflected (RFC 4456 §6). */
  client: boolean;
  /** False: clients are peers of each other, and routes of one are not reflected to the others. */
  clientToClient: boolean;
  /** An eBGP peer without policies neither receives nor sends routes (RFC 8212). */
  requirePolicy: boolean;
}

/** The settings of a reflector; docs/configuration.md explains the keys. */
export interface ReflectorSettings {
  node: string;
  as: number;
  routerId: IPAddress;
  clusterId: IPAddress;
  /** Where sessions are accepted: one endpoint at least. */
  listen: Endpoint[];
  clients: ClientSettings[];
  policies: PolicySet;
  bgp: {
    shutdownMessage: string;
    /** TCP congestion control, by the kernel's name for it; null: the host's default. */
    congestionControl: string | null;
  };
  socket: string;
  http: Endpoint | null;
  log: { level: 'debug' | 'info' | 'warn' | 'error'; format: 'auto' | 'text' | 'json' };
}
