/** `flatroute agent`: starts the agent from its configuration file, reloads and stops it by signals. */

import { followSettings, SettingsFile } from '@flatroute/common/config/settings-source.ts';
import { runLifecycle } from '@flatroute/common/process/lifecycle.ts';
import { createLogger } from '@flatroute/common/process/log.ts';
import { Agent } from './agent.ts';
import { agentFormat } from './config/schema.ts';

export { loadAgentConfig } from './config/load.ts';

/** Runs the agent until a signal ends it. Throws ConfigError, or an Error that says what prevented the start. */
export async function runAgent(options: { configFile: string }): Promise<void> {
  const { configFile } = options;
  const source = new SettingsFile(configFile, agentFormat);
  const settings = await source.current();
  const log = createLogger(settings.log);
  const agent = await Agent.start(settings, log);
  void followSettings(source, (changed) => agent.reload(changed), log);
  runLifecycle({
    log,
    stop: () => agent.stop(),
    stopForRestart: () => agent.stop('restart'),
    reload: () => source.notify(),
  });
}
