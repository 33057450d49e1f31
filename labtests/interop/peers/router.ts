/** The interface of the interop rows to a foreign BGP router; each kind has an adapter in this folder. */

import type { Daemon } from '../../lab/daemon.ts';
import type { Result, RunOptions } from '../../lab/processes.ts';

/** The kinds of routers, in the order of the matrix's columns. */
export const ROUTER_KINDS = ['bird', 'frr', 'gobgp', 'openbgpd', 'exabgp'] as const;
export type RouterKind = (typeof ROUTER_KINDS)[number];

export type FamilyName = 'ipv4-unicast' | 'ipv6-unicast';

/** Both addresses of one side of the link. */
export interface Addresses {
  ipv4: string;
  ipv6: string;
}

/** A route that the router announces, from its start or on request. */
export interface RouterAnnouncement {
  prefix: string;
  /** By default the router's own address. */
  nextHop?: string;
  med?: number;
  /** `high:low`. */
  communities?: string[];
  /** `global:local1:local2` (RFC 8092). */
  largeCommunities?: string[];
  /** Path id (RFC 7911) and further AS numbers of the path, for routers without a table. */
  path?: { id: number; asPath: string };
}

/** A router's configuration, independent of the vendor. */
export interface RouterPlan {
  as: number;
  routerId: string;
  local: Addresses;
  remote: Addresses;
  remoteAs: number;
  /** The family of the session's TCP connection. */
  transport: 'ipv4' | 'ipv6';
  families: readonly FamilyName[];
  /** Seconds. */
  holdTime: number;
  /** It waits for us to connect. */
  passive: boolean;
  announce: readonly RouterAnnouncement[];
  /** Further eBGP neighbours over IPv4, which connect to it; it advertises their routes to us. */
  feeders: readonly { address: string; as: number }[];
  /** TCP MD5 (RFC 2385). */
  password?: string;
  /** RFC 5082. */
  gtsm?: boolean;
  /** RFC 7911, both directions. */
  addPath?: boolean;
  /** RFC 8950. */
  extendedNextHop?: boolean;
  /** RFC 4724: the restart time in seconds. */
  restartTime?: number;
  /** The session is closed when we advertise more prefixes. */
  maximumPrefixes?: number;
}

/** A route of ours as the router received it. AS_PATH as AS numbers separated by blanks. */
export interface LearnedRoute {
  prefix: string;
  nextHop: string;
  asPath: string;
  med?: number;
  communities: string[];
  largeCommunities: string[];
}

/** Where a router runs. */
export interface RouterPlace {
  lab: string;
  netns: string;
  /** The router's own folder, which exists. */
  folder: string;
  /** Runs a program in the router's namespace. */
  run(command: string[], options?: Omit<RunOptions, 'netns'>): Promise<Result>;
  /** The same for one that must succeed; its standard output. */
  must(command: string[], options?: Omit<RunOptions, 'netns'>): Promise<string>;
}

export interface Router {
  /** The processes of the router, in the order in which they start; the last one speaks BGP. */
  readonly daemons: readonly Daemon[];
  /** Starts the router; `restarting`: as a restarting speaker after a kill (RFC 4724 §4.1). */
  start(restarting?: boolean): Promise<void>;
  /** Whether the session with us is Established. */
  established(): Promise<boolean>;
  /** The routes that it received from us. */
  routes(family: FamilyName): Promise<LearnedRoute[]>;
  announce(route: RouterAnnouncement): Promise<void>;
  withdraw(prefix: string): Promise<void>;
  /** Sends us a ROUTE-REFRESH (RFC 2918). */
  requestRefresh(): Promise<void>;
  /** Closes the session with an administrative shutdown and a text (RFC 9003); returns the text that it sends. */
  shutdown(message: string): Promise<string>;
  /** Its log, and its view of the session. */
  report(): Promise<string>;
}

/** The address on which the session runs. */
export function sessionAddress(plan: RouterPlan, side: 'local' | 'remote'): string {
  return plan[side][plan.transport];
}

/** The router's address as next hop of a prefix: of the prefix's family, or IPv6 for all (RFC 8950). */
export function ownNextHop(plan: RouterPlan, prefix: string): string {
  return plan.local[plan.extendedNextHop ? 'ipv6' : ipVersion(familyOfPrefix(prefix))];
}

export function familyOfPrefix(prefix: string): FamilyName {
  return prefix.includes(':') ? 'ipv6-unicast' : 'ipv4-unicast';
}

/** The announcements of one family. */
export function announcementsOf(plan: RouterPlan, family: FamilyName): RouterAnnouncement[] {
  return plan.announce.filter(({ prefix }) => familyOfPrefix(prefix) === family);
}

/** `ipv4` or `ipv6`, as most configurations name a family. */
export function ipVersion(family: FamilyName): 'ipv4' | 'ipv6' {
  return family === 'ipv4-unicast' ? 'ipv4' : 'ipv6';
}
