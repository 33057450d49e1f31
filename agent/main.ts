/** `flatroute agent`: from the configuration file to the running agent, and back on a signal. */

import { runLifecycle } from '@flatroute/common/process/lifecycle.ts';
import { createLogger } from '@flatroute/common/process/log.ts';
import { Agent } from './agent.ts';
import { loadAgentConfig } from './config/load.ts';

/** Runs the agent until a signal ends it. Throws ConfigError, or an Error that says what kept it from starting. */
export async function runAgent(options: { configFile: string }): Promise<void> {
  const { configFile } = options;
  const settings = await loadAgentConfig(configFile);
  const log = createLogger(settings.log);
  const agent = await Agent.start(settings, log);
  runLifecycle({
    log,
    stop: () => agent.stop(),
    leave: () => agent.stop('restart'),
    reload: async () => agent.reload(await loadAgentConfig(configFile), configFile),
  });
}
