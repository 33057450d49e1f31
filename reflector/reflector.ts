/** A route reflector (RFC 4456), put together: the BGP speaker on its sockets, and the status endpoint. */

import { applyPeers } from '@flatroute/common/bgp/apply-peers.ts';
import { BgpEvents } from '@flatroute/common/bgp/events.ts';
import { RestartRequiredError } from '@flatroute/common/config/diff.ts';
import { dryRunEndpoint } from '@flatroute/common/http/dry-run.ts';
import { type StatusServer, startStatusServer } from '@flatroute/common/http/server.ts';
import { EventLog } from '@flatroute/common/process/events.ts';
import type { Logger } from '@flatroute/common/process/log.ts';
import { Speaker } from 'bgp-js';
import { SpeakerHost } from 'bgp-js/net';
import { changedKeys } from './config/load.ts';
import { reflectorFormat } from './config/schema.ts';
import type { ReflectorSettings } from './config/settings.ts';
import { peerConfig } from './peers.ts';
import { ReflectorStatus } from './status.ts';

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

  /** Starts everything. Throws what keeps it from starting. */
  static async start(settings: ReflectorSettings, log: Logger): Promise<Reflector> {
    const events = new EventLog(log);
    const teller = new BgpEvents(events);
    const { as, routerId, clusterId, listen } = settings;
    const { address: own } = listen;
    const addresses = own.version === 4 ? { address: own } : { address6: own };
    const speaker = new Speaker(
      // Packets never come this way, so that forwarding goes on over every restart: End-of-RIB waits until the clients
      // have told their routes again, and nobody lets go of a route meanwhile (RFC 4724 §4.1).
      { as, routerId, clusterId, ...addresses, restarted: true },
      Math.random,
    );
    const host = new SpeakerHost(speaker, {
      listen,
      localAddress: own,
      congestionControl: settings.bgp.congestionControl ?? undefined,
      onEvent: (event) => teller.tell(event),
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
    events.info(
      'reflector',
      `ready: AS ${as}, cluster ${clusterId}, listening on ${listen.address}:${host.port}`,
    );
    return new Reflector(settings, log, host, events, status, source);
  }

  /** Stops in good order: clients are told why, or keep their routes when we are to come back. */
  async stop(end: 'shutdown' | 'restart' = 'shutdown'): Promise<void> {
    await this.#host.stop(end === 'restart' ? null : this.#settings.bgp.shutdownMessage);
    await this.#status.close();
  }

  /** Goes over to changed settings without touching what did not change. Throws RestartRequiredError for a change that needs one. */
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
