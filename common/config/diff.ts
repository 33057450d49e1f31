/** The keys that differ between two settings. A reload applies some of them and refuses the others. */
import { isDeepStrictEqual } from 'node:util';
import { IPAddress, IPPrefix } from 'bgp-js/ip';

/** The keys that differ, as paths of the configuration file, e.g. "peers[10.0.0.2].holdTime". */
export interface ChangedKeys {
  changed: string[];
  /** Those of them that take a restart. */
  needRestart: string[];
}

/** Thrown by a reload when some of the changed keys take a restart. */
export class RestartRequiredError extends Error {
  override readonly name = 'RestartRequiredError';

  /** `advice` follows the name of each key: why it cannot change, and what to do. */
  constructor(keys: readonly string[], advice: string) {
    super(keys.map((key) => `${key}: ${advice}`).join('\n'));
  }
}

/** How settings are compared, and the names of their keys in the file. */
export interface DiffRules {
  /** Keys of the file that take a restart, with all keys below them. */
  fixed: readonly string[];
  /**
   * Names in the file that differ from those in the settings, besides a trailing "Seconds". The key is a whole path, or
   * a dot and a name, for that name anywhere.
   */
  names?: Readonly<Record<string, string>>;
}

/** Compares two settings. Elements of a list of peers are matched by `address` or `range`. */
export function diffSettings(before: object, after: object, rules: DiffRules): ChangedKeys {
  const changed: string[] = [];
  compare(before, after, '', rules, changed);
  const isFixed = (key: string) => rules.fixed.some((fixed) => key === fixed || key.startsWith(`${fixed}.`));
  return { changed, needRestart: changed.filter(isFixed) };
}

function compare(before: unknown, after: unknown, key: string, rules: DiffRules, changed: string[]): void {
  if (isRecord(before) && isRecord(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const shown = rules.names?.[`.${name}`] ?? name;
      const path = key === '' ? shown : `${key}.${shown}`;
      compare(before[name], after[name], rules.names?.[path] ?? path.replace(/Seconds$/, ''), rules, changed);
    }
  } else if (isPeerList(before) && isPeerList(after)) {
    comparePeers(before, after, key, rules, changed);
  } else if (!isDeepStrictEqual(before, after)) {
    changed.push(key);
  }
}

type PeerLike = Record<string, unknown> & { address?: IPAddress; range?: IPPrefix };

function comparePeers(
  before: PeerLike[],
  after: PeerLike[],
  key: string,
  rules: DiffRules,
  changed: string[],
): void {
  const byIdentity = (peers: PeerLike[]) =>
    new Map(peers.map((peer) => [(peer.address ?? peer.range ?? '').toString(), peer]));
  const old = byIdentity(before);
  const now = byIdentity(after);
  for (const identity of new Set([...old.keys(), ...now.keys()])) {
    const path = `${key}[${identity}]`;
    const [was, is] = [old.get(identity), now.get(identity)];
    if (was === undefined || is === undefined) changed.push(path);
    else compare(was, is, path, rules, changed);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  const isValue = value instanceof IPAddress || value instanceof IPPrefix;
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isValue;
}

function isPeerList(value: unknown): value is PeerLike[] {
  return (
    Array.isArray(value) &&
    value.every((item) => isRecord(item) && 'as' in item && ('address' in item || 'range' in item))
  );
}
