/** The compiled changes of a rule, and how they turn the attributes of a route into others. */
import { IPAddress, parseAddress } from '../../ip/index.ts';
import { type AsSegment, writeSegments } from '../../wire/as-path.ts';
import {
  ATTRIBUTES,
  AttributeType,
  eachAttribute,
  encodeAttribute,
  isHostAddress,
} from '../../wire/attribute-types.ts';
import { writeU32 } from '../../wire/cursor.ts';
import { AttrsKind } from '../store/attribute-table.ts';
import { COMMUNITY_SIZES, type CommunityPattern, communityMatches, isExact } from './community-pattern.ts';
import type { PolicyLists } from './policy-conditions.ts';
import type { PolicyChanges } from './policy-data.ts';

/** The changes of several rules together: the last value wins, communities and prepending add up. */
export interface Edit {
  localPref: number | null;
  med: number | null;
  medAdd: number;
  communities: CommunityEdit[];
  prepend: number[];
  nextHop: IPAddress | 'self' | 'unchanged' | null;
}

interface CommunityEdit {
  replace: boolean;
  remove: readonly CommunityPattern[];
  add: readonly CommunityPattern[];
}

/** Adds the changes of one rule to those of earlier rules. */
export type Changer = (edit: Edit, localAs: number) => void;

/** No changes. */
export const emptyEdit = (): Edit => ({
  localPref: null,
  med: null,
  medAdd: 0,
  communities: [],
  prepend: [],
  nextHop: null,
});

const MOST_PREPENDED = 32;
const isU32 = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffffffff;

/** Compiles the changes of the rule at `path`. */
export function compileChanges(
  changes: PolicyChanges,
  lists: PolicyLists,
  path: readonly (string | number)[],
): Changer {
  const { localPref, med, medAdd, prepend } = changes;
  for (const key of ['localPref', 'med'] as const) {
    const value = changes[key];
    if (value !== undefined && !isU32(value))
      lists.fail([...path, key], 'is not a number from 0 to 4294967295');
  }
  if (medAdd !== undefined && !isU32(Math.abs(medAdd))) {
    lists.fail([...path, 'medAdd'], 'is not a number from -4294967295 to 4294967295');
  }
  if (med !== undefined && medAdd !== undefined) {
    lists.fail([...path, 'medAdd'], 'cannot be combined with "med"; remove one of the two');
  }
  const { as, times = 0 } = prepend ?? {};
  if (prepend && !(Number.isInteger(times) && times >= 1 && times <= MOST_PREPENDED)) {
    lists.fail([...path, 'prepend', 'times'], `is not a number from 1 to ${MOST_PREPENDED}`);
  }
  if (as !== undefined && (!isU32(as) || as === 0)) {
    lists.fail([...path, 'prepend', 'as'], 'is not an AS number');
  }
  const nextHop = nextHopOf(changes.nextHop, lists, [...path, 'nextHop']);
  const communities = communityEdit(changes, lists, [...path, 'communities']);
  return (edit, localAs) => {
    if (localPref !== undefined) edit.localPref = localPref;
    if (med !== undefined) [edit.med, edit.medAdd] = [med, 0];
    if (medAdd !== undefined) edit.medAdd += medAdd;
    if (nextHop !== null) edit.nextHop = nextHop;
    if (communities) edit.communities.push(communities);
    for (let i = 0; i < times; i++) edit.prepend.push(as ?? localAs);
  };
}

function nextHopOf(
  text: string | undefined,
  lists: PolicyLists,
  path: readonly (string | number)[],
): Edit['nextHop'] {
  if (text === undefined) return null;
  if (text === 'self' || text === 'unchanged') return text;
  const address = parseAddress(text);
  if (address?.version !== 4 || !isHostAddress(address.value)) {
    lists.fail(path, `"${text}" is not a next hop; write self, unchanged or the IPv4 address of a host`);
  }
  return address;
}

function communityEdit(
  { communities }: PolicyChanges,
  lists: PolicyLists,
  path: readonly (string | number)[],
): CommunityEdit | null {
  if (!communities) return null;
  const { add = [], remove = [], replace } = communities;
  const exact = (texts: readonly string[], key: string): CommunityPattern[] => {
    const found = lists.communities(texts, [...path, key]);
    found.forEach((group, i) => {
      if (group.every(isExact)) return;
      lists.fail([...path, key, i], 'matches many communities; write the ones to add without *');
    });
    return found.flat();
  };
  return {
    replace: replace !== undefined,
    remove: lists.communities(remove, [...path, 'remove']).flat(),
    add: [...exact(replace ?? [], 'replace'), ...exact(add, 'add')],
  };
}

/** The attributes of a route: their stored form in `bytes` from `start` to `end`, and the segments of AS_PATH. */
export interface StoredAttributes {
  bytes: Uint8Array;
  start: number;
  end: number;
  segments: readonly AsSegment[];
}

/** The stored form of the changed attributes, and the AttrsKind of the set that they become. */
export function applyEdit(
  { bytes, start, end, segments }: StoredAttributes,
  edit: Edit,
  exporting: boolean,
): { bytes: Uint8Array; kind: number } {
  const values = new Map<number, { flags: number; value: Uint8Array }>();
  eachAttribute(bytes, start, end, (type, flags, from, to) => {
    values.set(type, { flags, value: bytes.subarray(from, to) });
  });
  const put = (type: number, value: Uint8Array) => {
    if (value.length === 0 && COMMUNITY_SIZES.has(type)) values.delete(type);
    else values.set(type, { flags: ATTRIBUTES[type]?.flags ?? 0, value });
  };
  let kind: number = AttrsKind.policy;
  if (edit.localPref !== null) put(AttributeType.localPref, word(edit.localPref));
  if (edit.med !== null || edit.medAdd !== 0) {
    const received = values.get(AttributeType.med)?.value;
    const base = edit.med ?? (received ? new DataView(received.buffer, received.byteOffset).getUint32(0) : 0);
    put(AttributeType.med, word(Math.min(Math.max(base + edit.medAdd, 0), 0xffffffff)));
    if (exporting) kind |= AttrsKind.medByPolicy;
  }
  if (edit.prepend.length > 0) put(AttributeType.asPath, writeSegments(prepended(segments, edit.prepend), 4));
  if (edit.nextHop instanceof IPAddress) put(AttributeType.nextHop, edit.nextHop.toBytes());
  if (exporting && edit.nextHop === 'self') kind |= AttrsKind.nextHopSelf;
  else if (exporting && edit.nextHop !== null) kind |= AttrsKind.nextHopKept;
  if (edit.communities.length > 0) {
    for (const [type, size] of COMMUNITY_SIZES) {
      const old = values.get(type)?.value ?? new Uint8Array(0);
      put(type, editCommunities(old, type, size, edit.communities));
    }
  }
  const sorted = [...values].sort(([a], [b]) => a - b);
  return {
    bytes: Buffer.concat(sorted.map(([type, { flags, value }]) => encodeAttribute(flags, type, value))),
    kind,
  };
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
}

/** RFC 4271 §5.1.2: prepended to the first sequence, or as a new one where it would exceed 255 AS numbers. */
function prepended(segments: readonly AsSegment[], ases: readonly number[]): AsSegment[] {
  const [first, ...rest] = segments;
  if (first?.type === 'sequence' && first.ases.length + ases.length <= 255) {
    return [{ type: 'sequence', ases: [...ases, ...first.ases] }, ...rest];
  }
  return [{ type: 'sequence', ases: ases.slice(0, 255) }, ...segments];
}

function editCommunities(
  old: Uint8Array,
  type: number,
  size: number,
  edits: readonly CommunityEdit[],
): Uint8Array {
  let list: Uint8Array[] = [];
  for (let at = 0; at + size <= old.length; at += size) list.push(old.subarray(at, at + size));
  const ofType = (patterns: readonly CommunityPattern[]) => patterns.filter((p) => p.attribute === type);
  for (const { replace, remove, add } of edits) {
    const gone = ofType(remove);
    list = replace ? [] : list.filter((value) => !gone.some((p) => communityMatches(p, value, 0)));
    for (const p of ofType(add)) if (!list.some((value) => communityMatches(p, value, 0))) list.push(p.value);
  }
  return Buffer.concat(list);
}
