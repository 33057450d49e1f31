/** `flatroute reflector`: reads the configuration file and runs the reflector until a signal stops it. */
import { runLifecycle } from '@flatroute/common/process/lifecycle.ts';
import { createLogger } from '@flatroute/common/process/log.ts';
import { loadReflectorConfig } from './config/load.ts';
import { Reflector } from './reflector.ts';

/** Runs the reflector until a signal ends it. Throws ConfigError, or an Error that says why it cannot start. */
export async function runReflector(options: { configFile: string }): Promise<void> {
  const { configFile } = options;
  const settings = await loadReflectorConfig(configFile);
  const log = createLogger(settings.log);
  const reflector = await Reflector.start(settings, log);
  runLifecycle({
    log,
    stop: () => reflector.stop(),
    leave: () => reflector.stop('restart'),
    reload: async () => reflector.reload(await loadReflectorConfig(configFile), configFile),
  });
}
