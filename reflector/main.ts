/** `flatroute reflector`: reads the configuration file and runs the reflector until a signal stops it. */
import { followSettings, SettingsFile } from '@flatroute/common/config/settings-source.ts';
import { runLifecycle } from '@flatroute/common/process/lifecycle.ts';
import { createLogger } from '@flatroute/common/process/log.ts';
import { reflectorFormat } from './config/schema.ts';
import { Reflector } from './reflector.ts';

export { loadReflectorConfig } from './config/load.ts';

/** Runs the reflector until a signal ends it. Throws ConfigError, or an Error that says why it cannot start. */
export async function runReflector(options: { configFile: string }): Promise<void> {
  const source = new SettingsFile(options.configFile, reflectorFormat);
  const settings = await source.current();
  const log = createLogger(settings.log);
  const reflector = await Reflector.start(settings, log);
  void followSettings(source, (changed) => reflector.reload(changed), log);
  runLifecycle({
    log,
    stop: () => reflector.stop(),
    stopForRestart: () => reflector.stop('restart'),
    reload: () => source.notify(),
  });
}
