/** What the status server needs from a daemon. */
import type { IPAddress, IPPrefix } from 'bgp-js/ip';
import type { ExplainView, PeerView, PodView, PolicyView, RouteView, StatusView } from './api-documents.ts';

/** The parameters of `/v1/routes`. */
export interface RoutesQuery {
  /** Only this prefix; an address is asked for as a /32 or /128. Undefined: all. */
  prefix?: IPPrefix;
  /** The route to `prefix` itself, the one with the longest prefix that covers it, or it and all more specific ones. */
  match: 'exact' | 'longest' | 'moreSpecifics';
  /** Only routes with this text in prefix, next hop, peer or AS path; at most 64 characters. */
  q?: string;
  /** 1 to 1000. */
  limit: number;
  offset: number;
}

/** One page of routes in the order of their prefixes, and the number of all that match. */
export interface RoutesPage {
  routes: RouteView[];
  total: number;
}

/** Whether the daemon is ready, and if not, why. */
export interface Readiness {
  ready: boolean;
  reasons: string[];
}

type Answer<T> = T | Promise<T>;

/** The state of a daemon as documents. An answer takes a few milliseconds at most, or is made in slices. */
export interface StatusSource {
  status(): Answer<StatusView>;
  peers(): Answer<PeerView[]>;
  routes(query: RoutesQuery): Answer<RoutesPage>;
  policies(): Answer<PolicyView[]>;
  /** Absent in a reflector. */
  pods?(): Answer<PodView[]>;
  /** Absent in a reflector. */
  explain?(address: IPAddress): Answer<ExplainView>;
  /** Prometheus text, version 0.0.4. */
  metrics(): Promise<string>;
  ready(): Readiness;
}
