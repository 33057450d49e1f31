/** The agent's settings: the values of agent.yaml, checked and with all defaults. */
import type { ConfiguredPeer } from '@flatroute/common/config/peers.ts';
import type { Endpoint } from '@flatroute/common/config/values.ts';
import type { PolicySet } from 'bgp-js';
import type { IPAddress, IPPrefix } from 'bgp-js/ip';

/** A peer of the agent. */
export interface PeerSettings extends ConfiguredPeer {
  /** Accept 0.0.0.0/0 from this peer. */
  acceptDefault: boolean;
  /** `own`: only the routes of this node; `all`: also learned routes, as far as RFC 4271 §9.2 allows. */
  export: 'own' | 'all';
}

/** Plain data, without reference to the file it came from. */
export interface AgentSettings {
  /** The node's name, by default the host name. */
  node: string;
  /** The node's own IPv4 address: source of its BGP sessions and next hop of its routes. */
  address: IPAddress;
  as: number;
  /** BGP identifier, an IPv4 address; by default `address`. */
  routerId: IPAddress;
  /** The pod ranges: IPv4 prefixes from which this node allocates addresses. Announced over BGP. */
  podCIDRs: IPPrefix[];
  peers: PeerSettings[];
  policies: PolicySet;
  bgp: {
    /** The endpoints that accept BGP sessions, by default `address`:179; empty: none. */
    listen: Endpoint[];
    /** The maximum of equal paths in one kernel route; 1 turns ECMP off. */
    maximumPaths: number;
    /** Text of the Cease sent at a clean stop (RFC 9003), at most 255 octets of UTF-8. */
    shutdownMessage: string;
  };
  encapsulation: { mode: 'none'; scope: 'always' | 'crossSubnet' };
  pods: {
    /** MTU of the pod's link; null: that of the interface that holds `address`. */
    mtu: number | null;
    /** The least time between the release of an address and its next allocation. */
    quarantineSeconds: number;
  };
  kernel: {
    /** The routing table of all routes that the agent installs. */
    table: number;
    /** The time between complete reads of the kernel's routes, which find what its events did not report. */
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
