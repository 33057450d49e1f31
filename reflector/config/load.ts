/** Reading reflector.yaml, and what a reload of it may change. */
import { loadConfig, parseConfig } from '@flatroute/common/config/config.ts';
import { type ChangedKeys, diffSettings } from '@flatroute/common/config/diff.ts';
import { POLICY_NAMES } from '@flatroute/common/config/policy.ts';
import { reflectorFormat } from './schema.ts';
import type { ReflectorSettings } from './settings.ts';

/** Reads and checks reflector.yaml; throws `ConfigError` with everything that is wrong with it. */
export function loadReflectorConfig(file: string): Promise<ReflectorSettings> {
  return loadConfig(file, reflectorFormat);
}

/** Checks the text of a reflector.yaml; `file` is its name in errors. Throws `ConfigError`. */
export function parseReflectorConfig(text: string, file: string): ReflectorSettings {
  return parseConfig(text, file, reflectorFormat);
}

const RULES = {
  fixed: [
    ...['node', 'as', 'routerId', 'clusterId', 'listen'],
    ...['bgp.congestionControl', 'socket', 'http.listen', 'log.format'],
  ],
  names: { ...POLICY_NAMES, http: 'http.listen' },
};

/** What differs between two settings of a reflector, as keys of reflector.yaml, and what needs a restart. */
export function changedKeys(before: ReflectorSettings, after: ReflectorSettings): ChangedKeys {
  return diffSettings(before, after, RULES);
}
