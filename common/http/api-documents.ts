/**
 * The JSON documents of the status endpoint, `/v1/*`, which the command line and the page display. Times are ISO 8601
 * strings in UTC. The name of a duration ends with its unit.
 */

/** A session state of RFC 4271 §8.2.2. */
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
  /** Whether it can serve pods (agent) or clients (reflector); if not, `reasons` says why. */
  ready: boolean;
  reasons: string[];
  /** Conditions that need an operator's attention; usually empty. */
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

/** An event, of which the daemon keeps the latest. */
export interface EventView {
  time: string;
  level: 'info' | 'warn' | 'error';
  /** What it is about: a peer's name, a pod, `config`, `kernel`. */
  subject: string;
  text: string;
}

/** `/v1/peers`: one page of peers. */
export interface PeersView {
  peers: PeerView[];
  /** The number of peers that match the query, on all pages. */
  total: number;
  /** The number of all peers in each state. */
  states: Partial<Record<PeerState, number>>;
}

/** One peer of `/v1/peers`. */
export interface PeerView {
  name: string;
  address: string;
  /** The configured range to which the peer belongs. */
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
  /** Bytes of path attributes held for the peer. */
  attributeOctets: number;
  messages: { received: number; sent: number; updatesReceived: number; updatesSent: number };
  /** Malformed attributes received from the peer: which, their handling by RFC 7606, and how many. */
  malformed: { attribute: string; handling: string; count: number }[];
  capabilities: string[];
  /** Its policies by direction. */
  policies: { import?: string; export?: string };
  /** Directions without routes, because the eBGP peer lacks a policy (RFC 8212). */
  policyMissing: ('import' | 'export')[];
  /** How often the session was established since the start of the daemon. */
  establishedCount: number;
}

/** One path to a prefix, and its result in the decision process (RFC 4271 §9.1.2.2). */
export interface PathView {
  peer: string;
  peerAddress?: string;
  /** The peer's path identifier (RFC 7911), if it sends any. */
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
  /** The rule of its peer's import policy that accepted or rejected it. */
  policy?: string;
  since?: string;
}

/** One prefix of `/v1/routes?prefix=&longest=&limit=&offset=` ({ routes: RouteView[], total: number }). */
export interface RouteView {
  prefix: string;
  /** `local`: originated here; `bgp`: learned. */
  source: 'local' | 'bgp';
  paths: PathView[];
  /** In the kernel: `installed`, `local` (nothing to install), or why it is not installed. */
  kernel: string;
  /** Only for a single route: to which peers it is advertised, and why or why not. */
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
  /** namespace/name if the runtime passed them, else the container id. */
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
  /** `up`, or the fault of its wiring. */
  state: string;
}

/** `/v1/explain?address=`: an address followed through all layers, one step per layer, in order. */
export interface ExplainView {
  address: string;
  /** One sentence that answers the question. */
  summary: string;
  steps: {
    layer: 'pod' | 'allocation' | 'announcement' | 'advertised' | 'rib' | 'kernel';
    /** `ok`, `warning` (two layers disagree) or `none` (this layer has nothing about the address). */
    verdict: 'ok' | 'warning' | 'none';
    lines: string[];
  }[];
}

/** How many routes a change would add, withdraw and modify. */
export interface RouteChangesView {
  added: number;
  withdrawn: number;
  changed: number;
}

/** `POST /v1/plan` with a configuration: what its reload would do. Nothing is applied. */
export interface PlanView {
  /** Keys that differ from the settings in force. */
  changed: string[];
  /** Those of them that a reload refuses, because they take a restart. */
  needRestart: string[];
  peers: {
    peer: string;
    session: 'stays' | 'reset' | 'added' | 'removed';
    /** The options that cause a reset. */
    because: string[];
    /** Changes of the usable routes from the peer (`taken`) and of those advertised to it; absent without a session. */
    taken?: RouteChangesView;
    told?: RouteChangesView;
  }[];
}
