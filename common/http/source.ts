/** What the status server asks of a daemon. */
import type { IPAddress, IPPrefix } from 'bgp-js/ip';
import type { ExplainView, PeerView, PodView, PolicyView, RouteView, StatusView } from './api-documents.ts';

/** Which routes are asked for. */
export interface RoutesQuery {
  /** Only this prefix; an address is asked for as a /32 or /128. Undefined: all. */
  prefix?: IPPrefix;
  /** The route to `prefix` itself, the one with the longest prefix that covers it, or it and all more specific ones. */
  match: 'exact' | 'longest' | 'moreSpecifics';
  /** Only routes of whose prefix, next hop, peer or AS path this text is a part; at most 64 characters. */
  q?: string;
  /** 1 to 1000. */
  limit: number;
  offset: number;
}

/** Routes in the order of their prefixes, and how many there are besides this page. */
export interface RoutesPage {
  routes: RouteView[];
  total: number;
}

/** Whether the daemon can serve, and what is missing when it cannot. */
export interface Readiness {
  ready: boolean;
  reasons: string[];
}

type Answer<T> = T | Promise<T>;

/** The state of a daemon as documents. Answers should take a few milliseconds at most. */
export interface StatusSource {
  status(): Answer<StatusView>;
  peers(): Answer<PeerView[]>;
  routes(query: RoutesQuery): Answer<RoutesPage>;
  policies(): Answer<PolicyView[]>;
  /** Absent where there are none (reflector). */
  pods?(): Answer<PodView[]>;
  /** Absent where nothing can be followed (reflector). */
  explain?(address: IPAddress): Answer<ExplainView>;
  /** Prometheus text, version 0.0.4. */
  metrics(): Promise<string>;
  ready(): Readiness;
}
