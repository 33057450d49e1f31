/**
 * The agent of a node: starts, stops and reloads its parts. `AgentParts` lists them.
 *
 * The order of `Agent.start` loses no packets and no pods:
 *  1. `openPods` reads the journal, so that the pods of the previous run keep their addresses and host routes.
 *  2. `RouteSync.start` compares the kernel with them. Routes of the previous run stay for now.
 *  3. `Announcements.set` installs the blackholes of the pod ranges and announces the ranges.
 *  4. `SpeakerHost.start` opens the BGP sessions. Peers with graceful restart have kept our routes until now.
 *  5. `StaleRoutes.start` waits until the peers have sent their routes, and then removes those that no peer sent.
 *  6. `PodService.listen` accepts CNI requests.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { applyPeers } from '@flatroute/common/bgp/apply-peers.ts';
import { BgpEvents } from '@flatroute/common/bgp/events.ts';
import { RestartRequiredError } from '@flatroute/common/config/diff.ts';
import { dryRunEndpoint } from '@flatroute/common/http/dry-run.ts';
import { type StatusServer, startStatusServer } from '@flatroute/common/http/server.ts';
import { EventLog } from '@flatroute/common/process/events.ts';
import type { Logger } from '@flatroute/common/process/log.ts';
import { Speaker, type SpeakerEvent } from 'bgp-js';
import { SpeakerHost } from 'bgp-js/net';
import { Announcements, podRange } from './announcements/announcements.ts';
import { changedKeys } from './config/load.ts';
import { agentFormat } from './config/schema.ts';
import type { AgentSettings } from './config/settings.ts';
import { type Dataplane, RouteDataplane } from './dataplane/dataplane.ts';
import { direct } from './dataplane/next-hop-tracker.ts';
import { Fib } from './fib/fib.ts';
import { Journal } from './ipam/journal.ts';
import { RouteSync } from './kernel/route-sync.ts';
import { enableForwarding } from './kernel/sysctl.ts';
import type { AgentParts } from './parts.ts';
import { peerConfig } from './peers.ts';
import { describePodEvent, type OnPodEvent } from './pods/events.ts';
import { PodService } from './pods/service.ts';
import { StaleRoutes } from './stale-routes.ts';
import { RouteEvents } from './status/route-events.ts';
import { AgentStatus } from './status/source.ts';

/** The longest wait for the blackholes of the pod ranges before sessions start; late ranges are announced later. */
const ANNOUNCE_MS = 3000;

const NEEDS_RESTART = 'cannot change while the agent runs; restart it to apply this: pods keep running';

/** Makes the dataplane on top of the kernel's routes. */
export type MakeDataplane = (routes: RouteSync, onError: (error: Error) => void) => Dataplane;

/** Kernel routes without encapsulation. */
const makeDirectDataplane: MakeDataplane = (routes, onError) =>
  new RouteDataplane({ routes, encapsulation: direct, onError });

/** A running agent. */
export class Agent {
  #settings: AgentSettings;
  readonly #log: Logger;
  readonly #parts: AgentParts;
  readonly #status: StatusServer;

  private constructor(settings: AgentSettings, log: Logger, parts: AgentParts, status: StatusServer) {
    this.#settings = settings;
    this.#log = log;
    this.#parts = parts;
    this.#status = status;
  }

  /** Starts all parts. Throws what prevents the start; the kernel's routes and the pods stay as they are. */
  static async start(
    settings: AgentSettings,
    log: Logger,
    makeDataplane: MakeDataplane = makeDirectDataplane,
  ): Promise<Agent> {
    const events = new EventLog(log);
    if (enableForwarding())
      events.info('kernel', 'IPv4 forwarding was off and is now on (net.ipv4.ip_forward)');
    const routeEvents = new RouteEvents(events);
    const routes = new RouteSync({
      table: settings.kernel.table,
      reconcileMs: settings.kernel.reconcileSeconds * 1000,
      onRoute: (event) => routeEvents.add(event),
      onError: (error) => events.error('kernel', error.message),
    });
    const pods = await openPods(settings, routes, log, events);
    await routes.start();
    // With routes of a previous run in the kernel, forwarding was never interrupted: the peers learn it (RFC 4724 §4.1).
    const restarted = routes.counts().stale > 0;
    const dataplane = makeDataplane(routes, (error) => events.error('kernel', error.message));
    const parts = compose(settings, { routes, pods, events, dataplane }, restarted);
    const { host, announcements, staleRoutes } = parts;
    const state = { ready: false };
    const source = new AgentStatus(settings, parts, state);
    const plan = dryRunEndpoint(agentFormat, (planned: AgentSettings) => source.plan(planned));
    const { socket, http } = settings;
    const status = await startStatusServer({ source, plan, socket, http, log });
    announcements.set(settings.podCIDRs.map(podRange));
    // Before any session: an End-of-RIB marker sent before our ranges would withdraw them at the peers.
    await announcements.settled(ANNOUNCE_MS);
    host.speaker.setPolicies(settings.policies);
    for (const peer of settings.peers) host.speaker.addPeer(peerConfig(peer), host.now());
    await host.start();
    staleRoutes.start(settings.peers.map(peerConfig));
    await pods.listen();
    state.ready = true;
    const agent = new Agent(settings, log, parts, status);
    source.settings = () => agent.#settings;
    const { node, as, address } = settings;
    events.info(
      'agent',
      `ready: node ${node}, AS ${as}, address ${address}, peers: ${settings.peers.length}`,
    );
    return agent;
  }

  /**
   * Stops all parts; pods and kernel routes stay. `shutdown` closes the sessions with the shutdown message (RFC 9003);
   * `restart` closes them so that peers keep our routes until we are back (RFC 4724).
   */
  async stop(end: 'shutdown' | 'restart' = 'shutdown'): Promise<void> {
    const { host, pods, dataplane, routes, staleRoutes } = this.#parts;
    staleRoutes.stop();
    await pods.close();
    await host.stop(end === 'restart' ? null : this.#settings.bgp.shutdownMessage);
    dataplane.close();
    await routes.close();
    await this.#status.close();
  }

  /**
   * Applies changed settings and leaves alone whatever did not change. Throws RestartRequiredError when a change needs a
   * restart, or an Error when a removed range still has pods; nothing is changed then.
   */
  reload(settings: AgentSettings): void {
    const { changed, needRestart } = changedKeys(this.#settings, settings);
    if (needRestart.length > 0) throw new RestartRequiredError(needRestart, NEEDS_RESTART);
    const { pods, routes, staleRoutes, announcements, host, events } = this.#parts;
    if (changed.length === 0) {
      events.info('config', 'reloaded: nothing has changed');
      return;
    }
    // First, because it is the only step that can fail.
    pods.setRanges(settings.podCIDRs);
    pods.setQuarantine(settings.pods.quarantineSeconds);
    pods.setMtu(settings.pods.mtu);
    routes.setReconcile(settings.kernel.reconcileSeconds * 1000);
    staleRoutes.setLimit(settings.kernel.staleSeconds);
    const before = this.#settings;
    this.#settings = settings;
    announcements.set(settings.podCIDRs.map(podRange));
    applyPeers(host, {
      before: before.peers.map(peerConfig),
      after: settings.peers.map(peerConfig),
      policies: settings.policies,
    });
    host.speaker.routing.setMaximumPaths(settings.bgp.maximumPaths);
    this.#log.level = settings.log.level;
    host.wake();
    events.info('config', `reloaded: ${changed.join(', ')}`);
  }
}

/** Opens the journal and takes over the pods of an earlier run. */
async function openPods(
  settings: AgentSettings,
  routes: RouteSync,
  log: Logger,
  events: EventLog,
): Promise<PodService> {
  const { stateDir, cniSocket, podCIDRs, address, pods } = settings;
  const onEvent: OnPodEvent = (event) => {
    const { level, subject, text } = describePodEvent(event);
    events[level](subject, text);
  };
  const store = await Journal.open({
    folder: stateDir,
    report: (level, text) => onEvent({ kind: 'store', level, text }),
  });
  return PodService.open({
    store,
    cniSocket,
    podCIDRs,
    nodeAddress: address,
    mtu: pods.mtu,
    quarantineSeconds: pods.quarantineSeconds,
    routes,
    onEvent,
    debug: (text, fields) => log.debug({ subject: 'pods', ...fields }, text),
  });
}

/** Creates the BGP parts and connects them to the others; nothing runs yet. */
function compose(
  settings: AgentSettings,
  base: Pick<AgentParts, 'routes' | 'pods' | 'events' | 'dataplane'>,
  restarted: boolean,
): AgentParts {
  const { routes, events, dataplane } = base;
  const { as, bgp } = settings;
  const address = settings.address.toString();
  const speaker = new Speaker(
    { as, routerId: settings.routerId.toString(), address, maximumPaths: bgp.maximumPaths, restarted },
    Math.random,
  );
  const fib = new Fib(speaker.routing.rib, dataplane);
  const bgpEvents = new BgpEvents(events);
  const onEvent = (event: SpeakerEvent): void => {
    bgpEvents.report(event);
    staleRoutes.onEvent(event);
  };
  const host = new SpeakerHost(speaker, {
    listen: bgp.listen,
    localAddress: address,
    onEvent,
    onWork: () => fib.schedule(),
  });
  const staleRoutes = new StaleRoutes({
    staleSeconds: settings.kernel.staleSeconds,
    events,
    release: async () => {
      while (fib.hasWork || speaker.hasWork) await nextTurn();
      await dataplane.settled();
      return routes.releaseStale();
    },
  });
  const announcements = new Announcements({
    speaker,
    routes,
    onChange: () => host.wake(),
    onError: (prefix, error) => events.error(`${prefix}`, `cannot be announced yet: ${error.message}`),
  });
  return { ...base, host, announcements, fib, staleRoutes };
}
