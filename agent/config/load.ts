/** Reads agent.yaml, and compares two of its versions for a reload. */
import { loadConfig, parseConfig } from '@flatroute/common/config/config.ts';
import { type ChangedKeys, diffSettings } from '@flatroute/common/config/diff.ts';
import { POLICY_NAMES } from '@flatroute/common/config/policy.ts';
import { agentFormat } from './schema.ts';
import type { AgentSettings } from './settings.ts';

/** Reads and checks agent.yaml. @throws ConfigError with all errors of the file */
export function loadAgentConfig(file: string): Promise<AgentSettings> {
  return loadConfig(file, agentFormat);
}

/** Checks the text of an agent.yaml; `file` is its name in errors. @throws ConfigError with all errors of the text */
export function parseAgentConfig(text: string, file: string): AgentSettings {
  return parseConfig(text, file, agentFormat);
}

const RULES = {
  fixed: [
    'node',
    'address',
    'as',
    'routerId',
    'bgp.listen',
    'encapsulation',
    'kernel.table',
    'stateDir',
    'socket',
    'cni.socket',
    'http.listen',
    'log.format',
  ],
  names: {
    ...POLICY_NAMES,
    cniSocket: 'cni.socket',
    http: 'http.listen',
    'kernel.staleSeconds': 'kernel.staleTime',
  },
};

/**
 * The differences between two settings of an agent, as keys of agent.yaml. A reload is refused when there are keys in
 * `needRestart`. A default that follows from another key (routerId, bgp.listen) changes with that key.
 */
export function changedKeys(before: AgentSettings, after: AgentSettings): ChangedKeys {
  return diffSettings(before, after, RULES);
}
