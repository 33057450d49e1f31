/** `flatroute reflector`: from the configuration file to the running reflector, and back on a signal. */

import { runLifecycle } from '@flatroute/common/process/lifecycle.ts';
import { createLogger } from '@flatroute/common/process/log.ts';
import { parsePrefix } from 'bgp-js/ip';
import { REHEARSAL_RANGE, rehearse } from 'bgp-js/net';
import { loadReflectorConfig } from './config/load.ts';
import type { ClientSettings } from './config/settings.ts';
import { peerConfig } from './peers.ts';
import { lowerHelperThreads, raisePriority } from './priority.ts';
import { Reflector } from './reflector.ts';

/** Runs the reflector until a signal ends it. Throws ConfigError, or an Error that says what kept it from starting. */
export async function runReflector(options: { configFile: string }): Promise<void> {
  const { configFile } = options;
  const settings = await loadReflectorConfig(configFile);
  const log = createLogger(settings.log);
  lowerHelperThreads();
  const refusal = raisePriority();
  if (refusal !== null) log.info({ reason: refusal }, 'runs without all of the priority it asks for');
  // Without it the first table passes a little slower, and no more.
  await rehearse(peerConfig(REHEARSED)).catch((err) => log.info({ err }, 'no rehearsal'));
  const reflector = await Reflector.start(settings, log);
  runLifecycle({
    log,
    stop: () => reflector.stop(),
    leave: () => reflector.stop('restart'),
    reload: async () => reflector.reload(await loadReflectorConfig(configFile), configFile),
  });
}

/** A client without options, with its settings in the order in which the configuration has them. */
const REHEARSED: ClientSettings = {
  name: REHEARSAL_RANGE,
  range: parsePrefix(REHEARSAL_RANGE) ?? undefined,
  as: 65000,
  client: true,
  clientToClient: true,
  passive: true,
  port: 179,
  holdTimeSeconds: 90,
  connectRetrySeconds: 120,
  maximumPrefixes: 1_000_000,
  maximumPeers: 5000,
  importPolicy: null,
  exportPolicy: null,
  requirePolicy: true,
};
