/** The reflector's settings: what reflector.yaml becomes once it is read, checked and every default is filled in. */
import type { SessionSettings } from '@flatroute/common/config/session.ts';
import type { Endpoint } from '@flatroute/common/config/values.ts';
import type { PolicySet } from 'bgp-js';
import type { IPAddress, IPPrefix } from 'bgp-js/ip';

/** One client, or a range of addresses from which clients may connect. */
export interface ClientSettings extends SessionSettings {
  name: string;
  /** Exactly one of `address` and `range` is set. */
  address?: IPAddress;
  range?: IPPrefix;
  as: number;
  /** False: an ordinary iBGP peer to which routes of other non-clients are not reflected (RFC 4456 §6). */
  client: boolean;
  /** False: clients are peers of each other and not told each other's routes by this reflector. */
  clientToClient: boolean;
  passive: boolean;
  port: number;
  holdTimeSeconds: number;
  connectRetrySeconds: number;
  maximumPrefixes: number;
  /** For a range: how many clients may come from it at once. */
  maximumPeers: number;
  /** Names of the policies for what comes from it and what it is shown; null: none. */
  importPolicy: string | null;
  exportPolicy: string | null;
  /** An eBGP peer without policies gets and gives nothing (RFC 8212). */
  requirePolicy: boolean;
}

export interface ReflectorSettings {
  node: string;
  as: number;
  routerId: IPAddress;
  clusterId: IPAddress;
  listen: Endpoint;
  clients: ClientSettings[];
  policies: PolicySet;
  bgp: {
    shutdownMessage: string;
    /** TCP's, by the kernel's name; null: the kernel's own choice. */
    congestionControl: string | null;
  };
  socket: string;
  http: Endpoint | null;
  log: { level: 'debug' | 'info' | 'warn' | 'error'; format: 'auto' | 'text' | 'json' };
}
