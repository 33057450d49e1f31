/**
 * The JSON documents of the status endpoint, `/v1/*`: what the daemons answer, the command line prints and the
 * page shows. Times are ISO 8601 strings in UTC; durations carry their unit as the last word of the name.
 */

/** A session state of RFC 4271 §8.2.2, as shown to people. */
export type PeerState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

/** `/v1/status`: the daemon at a glance. */
export interface StatusView {
  role: 'agent' | 'reflector';
  version: string;
  node: string;
  pid: number;
  started: string;
  uptimeSeconds: number;
  as: number;
  routerId: string;
  /** The addresses and ports on which the daemon accepts BGP sessions. */
  listen: string[];
  /** Ready to serve pods (agent) or clients (reflector); `reasons` says what is missing when it is not. */
  ready: boolean;
  reasons: string[];
  /** Conditions that a person should look at, in words; empty when all is well. */
  warnings: string[];
  peers: { configured: number; established: number };
  routes: { prefixes: number; paths: number; installed: number };
  /** Agent only. */
  pods?: { count: number; ranges: { cidr: string; size: number; used: number }[] };
  eventLoop: EventLoopView;
  events: EventView[];
}

/** Whether the daemon keeps up, measured since its start. */
export interface EventLoopView {
  /** By the delay that is exceeded once in a thousand times: up to 100 ms, up to 1 s, or more. */
  load: 'normal' | 'busy' | 'overloaded';
  /** How long work that was due waited. */
  delay: DurationsView;
  /** How long the slices took in which BGP work is done, from first input to last output. */
  slice: DurationsView;
  /** CPU time of these slices; for the rest of the time other processes had the core. */
  sliceCpu: DurationsView;
}

/** Percentiles of durations in milliseconds; all 0 when there were none. */
export interface DurationsView {
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
}

/** Something that happened, newest last; the daemon keeps a bounded number of them. */
export interface EventView {
  time: string;
  level: 'info' | 'warn' | 'error';
  /** What it is about: a peer's name, a pod, `config`, `kernel`. */
  subject: string;
  text: string;
}

/** `/v1/peers`: the peers that were asked for. */
export interface PeersView {
  peers: PeerView[];
  /** How many match what was asked for, on this page or not. */
  total: number;
  /** How many of all the peers are in each state. */
  states: Partial<Record<PeerState, number>>;
}

/** One peer of `/v1/peers`. */
export interface PeerView {
  name: string;
  address: string;
  /** The configured range when the peer came from one. */
  range?: string;
  as: number;
  type: 'iBGP' | 'eBGP';
  state: PeerState;
  /** When `state` was entered. */
  since: string;
  routerId?: string;
  /** The last error of the session in words, e.g. "hold timer expired, nothing received for 9 s (we sent …)". */
  lastError?: { time: string; text: string };
  holdTimeSeconds?: number;
  keepaliveSeconds?: number;
  /** Prefixes in Adj-RIB-In, how many of those are usable, how many are best; prefixes advertised. */
  prefixes: {
    received: number;
    accepted: number;
    best: number;
    sent: number;
    dropped: number;
    maximum: number;
  };
  /** Octets of path attributes that the peer makes us hold. */
  attributeOctets: number;
  messages: { received: number; sent: number; updatesReceived: number; updatesSent: number };
  /** Malformed attributes that the peer sent: which, what RFC 7606 wants done about them, and how many. */
  malformed: { attribute: string; handling: string; count: number }[];
  capabilities: string[];
  /** The policies that it has, by direction. */
  policies: { import?: string; export?: string };
  /** Directions in which an eBGP peer needs a policy and has none: nothing goes that way (RFC 8212). */
  policyMissing: ('import' | 'export')[];
  /** How often the session was established since the daemon started. */
  establishedCount: number;
}

/** One path to a prefix, and how it fared in the decision process (RFC 4271 §9.1.2.2). */
export interface PathView {
  peer: string;
  peerAddress?: string;
  /** The peer's path identifier (RFC 7911), where it sends them. */
  pathId?: number;
  nextHop: string;
  asPath: string;
  origin: 'IGP' | 'EGP' | 'incomplete';
  localPref?: number;
  med?: number;
  communities?: string[];
  /** `best`, `multipath`, `candidate` (lost: see `reason`) or `unusable` (see `reason`). */
  status: 'best' | 'multipath' | 'candidate' | 'unusable';
  /** Why it lost or is unusable, or, for the best one, the step that decided. */
  reason: string;
  /** Which rule of its peer's import policy decided about it. */
  policy?: string;
  since?: string;
}

/** One prefix of `/v1/routes?prefix=&longest=&limit=&offset=` ({ routes: RouteView[], total: number }). */
export interface RouteView {
  prefix: string;
  /** `local`: originated here; `bgp`: learned. */
  source: 'local' | 'bgp';
  paths: PathView[];
  /** The kernel's view of it: `installed`, `local` (nothing to install), or why it is not there. */
  kernel: string;
  /** Of a route that was asked for by itself: whom it was told to, and why or why not. */
  sent?: { peer: string; told: boolean; reason: string }[];
}

/** One policy of `/v1/policies` ({ policies: PolicyView[] }); hits are routes to which a rule was applied. */
export interface PolicyView {
  name: string;
  rules: { name: string; action: 'accept' | 'reject' | 'next'; hits: number }[];
  otherwise: { action: 'accept' | 'reject'; hits: number };
  peers: { peer: string; direction: 'import' | 'export' }[];
}

/** One pod of `/v1/pods` ({ pods: PodView[] }). */
export interface PodView {
  /** namespace/name where the runtime told them, else the container id. */
  name: string;
  containerId: string;
  ifname: string;
  /** The first one of `addresses`. */
  address: string;
  /** At most one a family, IPv4 first. */
  addresses: string[];
  hostInterface: string;
  netns: string;
  since: string;
  /** `up`, or what is wrong with its wiring. */
  state: string;
}

/** `/v1/explain?address=`: an address followed through the whole system, one entry a layer, in order. */
export interface ExplainView {
  address: string;
  /** One sentence that answers the question. */
  summary: string;
  steps: {
    layer: 'pod' | 'allocation' | 'announcement' | 'advertised' | 'rib' | 'kernel';
    /** `ok`, `warning` (something disagrees) or `none` (this layer knows nothing of the address). */
    verdict: 'ok' | 'warning' | 'none';
    lines: string[];
  }[];
}

/** What a change of routes comes to. */
export interface RouteChangesView {
  added: number;
  withdrawn: number;
  changed: number;
}

/** `POST /v1/plan` with a configuration: what a reload of it would do. Nothing is applied. */
export interface PlanView {
  /** Keys that differ from what runs. */
  changed: string[];
  /** Those among them that a reload refuses: the daemon would have to be restarted. */
  needRestart: string[];
  peers: {
    peer: string;
    session: 'stays' | 'reset' | 'added' | 'removed';
    /** Of a reset: for which of its options. */
    because: string[];
    /** Usable routes from the peer, and routes that it is told; absent where there is no session to judge by. */
    taken?: RouteChangesView;
    told?: RouteChangesView;
  }[];
}
