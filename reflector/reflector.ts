/** A route reflector (RFC 4456): the BGP speaker on its sockets, and the status endpoint. */
import { applyPeers } from '@flatroute/common/bgp/apply-peers.ts';
import { BgpEvents } from '@flatroute/common/bgp/events.ts';
import { RestartRequiredError } from '@flatroute/common/config/diff.ts';
import { dryRunEndpoint } from '@flatroute/common/http/dry-run.ts';
import { type StatusServer, startStatusServer } from '@flatroute/common/http/server.ts';
import { EventLog } from '@flatroute/common/process/events.ts';
import type { Logger } from '@flatroute/common/process/log.ts';
import { Speaker, type SpeakerOptions } from 'bgp-js';
import type { IPVersion } from 'bgp-js/ip';
import { SpeakerHost } from 'bgp-js/net';
import { changedKeys } from './config/load.ts';
import { reflectorFormat } from './config/schema.ts';
import type { ReflectorSettings } from './config/settings.ts';
import { peerConfig } from './peers.ts';
import { ReflectorStatus } from './status.ts';

/** A running reflector. */
export class Reflector {
  #settings: ReflectorSettings;
  readonly #log: Logger;
  readonly #host: SpeakerHost;
  readonly #events: EventLog;
  readonly #status: StatusServer;
  readonly #source: ReflectorStatus;

  private constructor(
    settings: ReflectorSettings,
    log: Logger,
    host: SpeakerHost,
    events: EventLog,
    status: StatusServer,
    source: ReflectorStatus,
  ) {
    this.#settings = settings;
    this.#log = log;
    this.#host = host;
    this.#events = events;
    this.#status = status;
    this.#source = source;
  }

  /** Starts everything. Throws an Error that says why it cannot start. */
  static async start(settings: ReflectorSettings, log: Logger): Promise<Reflector> {
    const events = new EventLog(log);
    const bgpEvents = new BgpEvents(events);
    const speaker = new Speaker(speakerOptions(settings), Math.random);
    const host = new SpeakerHost(speaker, {
      listen: settings.listen,
      localAddress: settings.listen.map(({ address }) => address),
      congestionControl: settings.bgp.congestionControl ?? undefined,
      reserveDescriptors: true,
      onEvent: (event) => bgpEvents.report(event),
    });
    const source = new ReflectorStatus(settings, host, events);
    const plan = dryRunEndpoint(reflectorFormat, (planned: ReflectorSettings) => source.plan(planned));
    const { socket, http } = settings;
    const status = await startStatusServer({ source, plan, socket, http, log });
    try {
      speaker.setPolicies(settings.policies);
      for (const client of settings.clients) speaker.addPeer(peerConfig(client), host.now());
      await host.start();
    } catch (error) {
      await status.close();
      throw error;
    }
    source.isListening = true;
    const { as, clusterId } = settings;
    const endpoints = host.endpoints.join(', ');
    events.info('reflector', `ready: AS ${as}, cluster ${clusterId}, listening on ${endpoints}`);
    return new Reflector(settings, log, host, events, status, source);
  }

  /** Stops. Clients receive the shutdown message (RFC 9003), or keep our routes for a restart (RFC 4724). */
  async stop(end: 'shutdown' | 'restart' = 'shutdown'): Promise<void> {
    await this.#host.stop(end === 'restart' ? null : this.#settings.bgp.shutdownMessage);
    await this.#status.close();
  }

  /** Applies changed settings; what did not change is not touched. Throws RestartRequiredError. */
  reload(settings: ReflectorSettings): void {
    const { changed, needRestart } = changedKeys(this.#settings, settings);
    if (needRestart.length > 0) {
      const advice = 'cannot change while the reflector runs; restart it to apply this';
      throw new RestartRequiredError(needRestart, advice);
    }
    applyPeers(this.#host, {
      before: this.#settings.clients.map(peerConfig),
      after: settings.clients.map(peerConfig),
      policies: settings.policies,
    });
    this.#settings = settings;
    this.#source.settings = settings;
    this.#log.level = settings.log.level;
    this.#host.wake();
    this.#events.info(
      'config',
      changed.length > 0 ? `reloaded: ${changed.join(', ')}` : 'reloaded: nothing has changed',
    );
  }
}

function speakerOptions({ as, routerId, clusterId, listen }: ReflectorSettings): SpeakerOptions {
  const addressOf = (version: IPVersion) =>
    listen.find(({ address }) => address.version === version)?.address;
  return {
    as,
    routerId,
    clusterId,
    address: addressOf(4),
    address6: addressOf(6),
    // A reflector forwards no packets, so forwarding survives every restart. End-of-RIB is sent once the clients have
    // sent their routes again, and no client removes a route meanwhile (RFC 4724 §4.1).
    restarted: true,
  };
}
