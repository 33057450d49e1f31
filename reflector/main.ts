/** `flatroute reflector`: from the configuration file to the running reflector, and back on a signal. */

import { runLifecycle } from '@flatroute/daemon/lifecycle.ts';
import { createLogger } from '@flatroute/daemon/log.ts';
import type { PeerConfig } from 'bgp-js';
import { REHEARSAL_RANGE, rehearse } from 'bgp-js/net';
import { loadReflectorConfig } from './config/load.ts';
import type { ClientSettings } from './config/settings.ts';
import { peerConfig } from './peers.ts';
import { Reflector } from './reflector.ts';

/** Runs the reflector until a signal ends it. Throws ConfigError, or an Error that says what kept it from starting. */
export async function runReflector(options: { configFile: string }): Promise<void> {
  const { configFile } = options;
  const settings = await loadReflectorConfig(configFile);
  const log = createLogger(settings.log);
  // Without it the first table passes a little slower, and no more.
  const [client] = settings.clients;
  if (client) await rehearse(rehearsed(client)).catch((err) => log.info({ err }, 'no rehearsal'));
  const reflector = await Reflector.start(settings, log);
  runLifecycle({
    log,
    stop: () => reflector.stop(),
    leave: () => reflector.stop('restart'),
    reload: async () => reflector.reload(await loadReflectorConfig(configFile), configFile),
  });
}

/** A client like this one, but in the rehearsal. */
function rehearsed(client: ClientSettings): PeerConfig {
  const place = { address: undefined, range: REHEARSAL_RANGE, passive: true, transport: {} };
  const like =
    client.range === undefined
      ? { ...client, ...place }
      : { ...client, range: REHEARSAL_RANGE, transport: {} };
  return peerConfig({ ...like, importPolicy: null, exportPolicy: null });
}
