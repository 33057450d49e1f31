/** The reflector's state as documents of the status endpoint. */

import { addBgpMetrics } from '@flatroute/common/bgp/metrics.ts';
import { peerCounts, peerViews, policyWarnings, RoutePages } from '@flatroute/common/bgp/views.ts';
import type { PeerView, PlanView, PolicyView, StatusView } from '@flatroute/common/http/api-documents.ts';
import { planView } from '@flatroute/common/http/dry-run.ts';
import { Metrics } from '@flatroute/common/http/metrics.ts';
import type { Readiness, RoutesPage, RoutesQuery, StatusSource } from '@flatroute/common/http/source.ts';
import { EventLoopMonitor } from '@flatroute/common/process/event-loop.ts';
import type { EventLog } from '@flatroute/common/process/events.ts';
import { TimeSlicing } from '@flatroute/common/process/time-slicing.ts';
import { peerBriefs, policyInfos, routeCounts } from 'bgp-js';
import type { SpeakerHost } from 'bgp-js/net';
import { changedKeys } from './config/load.ts';
import type { ReflectorSettings } from './config/settings.ts';
import packageJson from './package.json' with { type: 'json' };
import { peerConfig } from './peers.ts';

const EVENTS_SHOWN = 50;

/** Serves the documents from the speaker's state. */
export class ReflectorStatus implements StatusSource {
  /** Set when the listeners accept connections. */
  isListening = false;
  /** The settings in force; a reload changes them. */
  settings: ReflectorSettings;
  readonly #host: SpeakerHost;
  readonly #events: EventLog;
  readonly #metrics = new Metrics();
  readonly #work = new TimeSlicing();
  readonly #loop: EventLoopMonitor;
  readonly #routes: RoutePages;
  readonly #started = new Date();
  /** The same on the monotonic clock, in ms. */
  readonly #startedAt = performance.now();

  constructor(settings: ReflectorSettings, host: SpeakerHost, events: EventLog) {
    this.settings = settings;
    this.#host = host;
    this.#events = events;
    this.#routes = new RoutePages(
      host.speaker,
      () => 'not installed: a reflector forwards no packets',
      this.#work,
    );
    addBgpMetrics(this.#metrics, host);
    this.#loop = new EventLoopMonitor(host.slices);
    this.#loop.addMetrics(this.#metrics);
  }

  status(): StatusView {
    const { node, as, routerId } = this.settings;
    const peers = peerBriefs(this.#host.speaker, this.#host.now());
    const { prefixes, paths } = routeCounts(this.#host.speaker);
    return {
      role: 'reflector',
      version: packageJson.version,
      node,
      pid: process.pid,
      started: this.#started.toISOString(),
      uptimeSeconds: Math.floor((performance.now() - this.#startedAt) / 1000),
      as,
      routerId: routerId.toString(),
      listen: this.#host.endpoints,
      ...this.ready(),
      warnings: policyWarnings(peers),
      peers: peerCounts(peers),
      routes: { prefixes, paths, installed: 0 },
      eventLoop: this.#loop.view(),
      events: this.#events.recent(EVENTS_SHOWN),
    };
  }

  peers(): Promise<PeerView[]> {
    return this.#work.run(() => peerViews(this.#host.speaker, () => this.#host.now()));
  }

  policies(): PolicyView[] {
    return policyInfos(this.#host.speaker);
  }

  routes(query: RoutesQuery): Promise<RoutesPage> {
    return this.#routes.page(query);
  }

  /** What a reload with these settings would do. */
  plan(after: ReflectorSettings): Promise<PlanView> {
    const keys = changedKeys(this.settings, after);
    return planView(this.#host.speaker, after.policies, after.clients.map(peerConfig), keys);
  }

  metrics(): Promise<string> {
    return this.#metrics.text();
  }

  ready(): Readiness {
    return this.isListening
      ? { ready: true, reasons: [] }
      : { ready: false, reasons: ['no sessions are accepted yet'] };
  }
}
