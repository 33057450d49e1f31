/** The agent's state as the documents of the status endpoint (`/v1/*`, `/metrics`, `/readyz`). */
import { hostname } from 'node:os';
import { addBgpMetrics } from '@flatroute/common/bgp/metrics.ts';
import { peerCounts, peerViews, RoutePages } from '@flatroute/common/bgp/views.ts';
import type {
  ExplainView,
  PeerView,
  PlanView,
  PodView,
  PolicyView,
  StatusView,
} from '@flatroute/common/http/api-documents.ts';
import { planView } from '@flatroute/common/http/dry-run.ts';
import { Metrics } from '@flatroute/common/http/metrics.ts';
import type { Readiness, RoutesPage, RoutesQuery, StatusSource } from '@flatroute/common/http/source.ts';
import { EventLoopMonitor } from '@flatroute/common/process/event-loop.ts';
import { TimeSlicing } from '@flatroute/common/process/time-slicing.ts';
import { peerBriefs, policyInfos, routeCounts } from 'bgp-js';
import { type IPAddress, parsePrefix } from 'bgp-js/ip';
import { changedKeys } from '../config/load.ts';
import type { AgentSettings } from '../config/settings.ts';
import packageJson from '../package.json' with { type: 'json' };
import type { AgentParts } from '../parts.ts';
import { peerConfig } from '../peers.ts';
import { explain } from './explain.ts';
import { addAgentMetrics } from './metrics.ts';
import { warnings } from './warnings.ts';

/** Events shown in `/v1/status`. */
const EVENTS_SHOWN = 50;

/** Reads the parts of the agent at each request. */
export class AgentStatus implements StatusSource {
  /** The settings in force; a reload changes them. */
  settings: () => AgentSettings;
  readonly #parts: AgentParts;
  readonly #state: { ready: boolean };
  readonly #metrics = new Metrics();
  readonly #work = new TimeSlicing();
  readonly #loop: EventLoopMonitor;
  readonly #routes: RoutePages;
  readonly #started = new Date();
  /** The same on the monotonic clock, in ms. */
  readonly #startedAt = performance.now();

  /** `state.ready` becomes true when all parts have been started. */
  constructor(settings: AgentSettings, parts: AgentParts, state: { ready: boolean }) {
    this.settings = () => settings;
    this.#parts = parts;
    this.#state = state;
    const { host, dataplane } = parts;
    const kernel = (text: string, local: boolean) => {
      const prefix = parsePrefix(text);
      if (local || prefix === null) return 'local';
      if (prefix.version === 6) return 'not installed: this version installs no IPv6 routes';
      return dataplane.state(prefix) ?? 'not installed: no usable path';
    };
    this.#routes = new RoutePages(host.speaker, kernel, this.#work);
    addBgpMetrics(this.#metrics, parts.host);
    addAgentMetrics(this.#metrics, parts);
    this.#loop = new EventLoopMonitor(parts.host.slices);
    this.#loop.addMetrics(this.#metrics);
  }

  status(): StatusView {
    const { host, routes, pods, events } = this.#parts;
    const { node, as, routerId } = this.settings();
    const peers = peerBriefs(host.speaker, host.now());
    const { prefixes, paths } = routeCounts(host.speaker);
    return {
      role: 'agent',
      version: packageJson.version,
      node: node || hostname(),
      pid: process.pid,
      started: this.#started.toISOString(),
      uptimeSeconds: Math.floor((performance.now() - this.#startedAt) / 1000),
      as,
      routerId: routerId.toString(),
      listen: host.endpoints,
      ...this.ready(),
      warnings: warnings(this.settings(), this.#parts, peers),
      peers: peerCounts(peers),
      routes: { prefixes, paths, installed: routes.counts().installed },
      pods: {
        count: pods.list().length,
        ranges: pods.ranges().map(({ range, ...usage }) => ({ cidr: range.toString(), ...usage })),
      },
      eventLoop: this.#loop.view(),
      events: events.recent(EVENTS_SHOWN),
    };
  }

  peers(): Promise<PeerView[]> {
    const { host } = this.#parts;
    return this.#work.run(() => peerViews(host.speaker, () => host.now()));
  }

  policies(): PolicyView[] {
    return policyInfos(this.#parts.host.speaker);
  }

  routes(query: RoutesQuery): Promise<RoutesPage> {
    return this.#routes.page(query);
  }

  async pods(): Promise<PodView[]> {
    await this.#parts.pods.refresh();
    return this.#parts.pods.list();
  }

  explain(address: IPAddress): ExplainView {
    return explain(address, this.settings(), this.#parts);
  }

  /**
   * What a reload with these settings would do. Routes are counted for changes of peers and policies; a change of
   * podCIDRs is listed as a key alone.
   */
  plan(after: AgentSettings): Promise<PlanView> {
    const keys = changedKeys(this.settings(), after);
    return planView(this.#parts.host.speaker, after.policies, after.peers.map(peerConfig), keys);
  }

  metrics(): Promise<string> {
    return this.#metrics.text();
  }

  /** Ready means that pods can be wired and their routes announced, whether peers are up or not. */
  ready(): Readiness {
    const { announcements } = this.#parts;
    const reasons = this.#state.ready ? [] : ['the agent is starting'];
    for (const range of this.settings().podCIDRs) {
      const state = announcements.state(range);
      if (state !== 'announced') reasons.push(`${range} is ${state ?? 'not announced yet'}`);
    }
    return { ready: reasons.length === 0, reasons };
  }
}
