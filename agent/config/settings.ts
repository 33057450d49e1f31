/** The agent's settings: what agent.yaml becomes once it is read, checked and every default is filled in. */
import type { ConfiguredPeer } from '@flatroute/common/config/peers.ts';
import type { Endpoint } from '@flatroute/common/config/values.ts';
import type { PolicySet } from 'bgp-js';
import type { IPAddress, IPPrefix } from 'bgp-js/ip';

/** A peer of the agent. */
export interface PeerSettings extends ConfiguredPeer {
  /** Accept 0.0.0.0/0 from this peer. */
  acceptDefault: boolean;
  /** `own`: only what this node originates; `all`: also learned routes, as RFC 4271 §9.2 allows. */
  export: 'own' | 'all';
}

export interface AgentSettings {
  /** The node's name, by default the host name. */
  node: string;
  /** The node's own IPv4 address: source of its BGP sessions and next hop of its routes. */
  address: IPAddress;
  as: number;
  /** BGP identifier, an IPv4 address; by default `address`. */
  routerId: IPAddress;
  /** IPv4 prefixes from which this node's pods get their addresses; announced over BGP. */
  podCIDRs: IPPrefix[];
  peers: PeerSettings[];
  policies: PolicySet;
  bgp: {
    /** Where BGP sessions are accepted, by default `address`:179; empty: nowhere. */
    listen: Endpoint[];
    /** How many equal paths go into one kernel route; 1 turns ECMP off. */
    maximumPaths: number;
    /** Text of the Cease sent at a clean stop (RFC 9003), at most 255 octets of UTF-8. */
    shutdownMessage: string;
  };
  encapsulation: { mode: 'none'; scope: 'always' | 'crossSubnet' };
  pods: {
    /** MTU of the pod's link; null: that of the interface that holds `address`. */
    mtu: number | null;
    /** How long a released address rests before it is handed out again. */
    quarantineSeconds: number;
  };
  kernel: {
    /** Routing table of everything the agent installs. */
    table: number;
    /** Full dump-and-compare of the kernel's routes, besides its events. */
    reconcileSeconds: number;
    /** How long the routes of the previous run stay while their peers have not come back. */
    staleSeconds: number;
  };
  /** Folder of the journal of addresses. */
  stateDir: string;
  /** Unix socket of the status endpoint, mode 0600. */
  socket: string;
  /** Unix socket of the CNI server, mode 0600. */
  cniSocket: string;
  /** HTTP address of the status endpoint; null turns it off. */
  http: Endpoint | null;
  log: { level: 'debug' | 'info' | 'warn' | 'error'; format: 'auto' | 'text' | 'json' };
}
