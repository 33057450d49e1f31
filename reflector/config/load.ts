/** Reads reflector.yaml, and says which keys a reload may change. */
import { loadConfig, parseConfig } from '@flatroute/common/config/config.ts';
import { type ChangedKeys, diffSettings } from '@flatroute/common/config/diff.ts';
import { POLICY_NAMES } from '@flatroute/common/config/policy.ts';
import { reflectorFormat } from './schema.ts';
import type { ReflectorSettings } from './settings.ts';

/** Reads and checks reflector.yaml. Throws `ConfigError` with all mistakes at once. */
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

/** The keys of reflector.yaml that differ between two settings, and those of them that need a restart. */
export function changedKeys(before: ReflectorSettings, after: ReflectorSettings): ChangedKeys {
  return diffSettings(before, after, RULES);
}
