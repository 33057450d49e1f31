/** The compiled conditions of a rule: `match` becomes a list of tests. */

import { IPPrefix, parseAddress } from '../../ip/index.ts';
import { type AsSegment, readSegments } from '../../wire/as-path.ts';
import { AttributeType } from '../../wire/attribute-types.ts';
import { familyNamed } from '../../wire/families.ts';
import { type Source, SourceKind } from '../source.ts';
import type { AttributeTable } from '../store/attribute-table.ts';
import type { AttrsId } from '../store/ids.ts';
import { type AsPathElements, AsPathPattern } from './as-path-pattern.ts';
import {
  COMMUNITY_SIZES,
  type CommunityPattern,
  communityMatches,
  looksLikeCommunity,
  parseCommunityPattern,
} from './community-pattern.ts';
import type { PolicyMatch, PolicyProblem, PolicySet } from './policy-data.ts';
import { PrefixList } from './prefix-list.ts';

/** A condition on attributes and source; `family` is the name of the address family. */
export type AttributeTest = (subject: RouteSubject, family: string) => boolean;

/** A compiled `match`: all of `attributes` must hold, and one of `prefixes` unless null. */
export interface Conditions {
  prefixes: readonly PrefixList[] | null;
  attributes: readonly AttributeTest[];
}

type Path = readonly (string | number)[];

/** The compiled lists of a policy set; mistakes in them are added to `problems`. */
export class PolicyLists {
  readonly problems: PolicyProblem[];
  private readonly prefixLists = new Map<string, PrefixList>();
  private readonly asPathLists = new Map<string, AsPathPattern[]>();
  private readonly communityLists = new Map<string, CommunityPattern[]>();

  constructor(set: PolicySet, problems: PolicyProblem[]) {
    this.problems = problems;
    for (const [name, entries] of Object.entries(set.prefixLists ?? {})) {
      const list = new PrefixList();
      entries.forEach((entry, i) => {
        this.attempt(['prefixLists', name, i], () => list.add(entry));
      });
      this.prefixLists.set(name, list);
    }
    for (const [name, entries] of Object.entries(set.asPathLists ?? {})) {
      const compile = (text: string, i: number) =>
        this.attempt(['asPathLists', name, i], () => new AsPathPattern(text)) ?? [];
      this.asPathLists.set(name, entries.flatMap(compile));
    }
    for (const [name, entries] of Object.entries(set.communityLists ?? {})) {
      const path: Path = ['communityLists', name];
      if (looksLikeCommunity(name)) {
        this.fail(path, 'is a community list whose name is itself a community; rename it');
      }
      const compile = (text: string, i: number) =>
        this.attempt([...path, i], () => parseCommunityPattern(text)) ?? [];
      this.communityLists.set(name, entries.flatMap(compile));
    }
  }

  /** Adds a mistake at `path`. */
  fail(path: Path, message: string): void {
    this.problems.push({ path, message });
  }

  /** Runs a parser; its SyntaxError becomes a problem at `path`. */
  attempt<T>(path: Path, run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.fail(path, error.message);
      return undefined;
    }
  }

  /** Prefix lists, each given by its name; prefixes given directly form one more list. */
  prefixes(texts: readonly string[], path: Path): PrefixList[] {
    const own = new PrefixList();
    const lists = [own];
    texts.forEach((text, i) => {
      const known = this.prefixLists.get(text);
      if (known) lists.push(known);
      else if (/[./:]/.test(text)) this.attempt([...path, i], () => own.add(text));
      else this.unknown(text, 'prefix list', 'prefixLists', [...path, i]);
    });
    return lists;
  }

  /** AS path patterns, each given as such or by the name of its list. */
  asPaths(texts: readonly string[], path: Path): AsPathPattern[] {
    return texts.flatMap((text, i) => {
      const known = this.asPathLists.get(text);
      if (known) return known;
      if (!/^[A-Za-z]/.test(text)) return this.attempt([...path, i], () => new AsPathPattern(text)) ?? [];
      this.unknown(text, 'AS path list', 'asPathLists', [...path, i]);
      return [];
    });
  }

  /** Community patterns, each given as such or by the name of its list; one element of the result for each text. */
  communities(texts: readonly string[], path: Path): CommunityPattern[][] {
    return texts.map((text, i) => {
      const known = this.communityLists.get(text);
      if (known) return known;
      if (looksLikeCommunity(text)) {
        const found = this.attempt([...path, i], () => parseCommunityPattern(text));
        return found ? [found] : [];
      }
      this.unknown(text, 'community list', 'communityLists', [...path, i]);
      return [];
    });
  }

  private unknown(name: string, kind: string, key: string, path: Path): void {
    this.fail(path, `names the ${kind} "${name}", which does not exist; add it to ${key}`);
  }
}

const KINDS: Readonly<Record<'local' | 'ebgp' | 'ibgp', readonly number[]>> = {
  local: [SourceKind.local],
  ebgp: [SourceKind.external],
  ibgp: [SourceKind.internal, SourceKind.client],
};
const ORIGINS = ['IGP', 'EGP', 'incomplete'] as const;

/** Compiles the conditions of the rule at `path`. */
export function compileConditions(match: PolicyMatch, lists: PolicyLists, path: Path): Conditions {
  const tests: AttributeTest[] = [];
  const { families, peers, neighbourAs, origins, sources } = match;
  families?.forEach((name, i) => {
    if (!familyNamed(name)) lists.fail([...path, 'families', i], `"${name}" is not an address family`);
  });
  if (families) tests.push((_subject, family) => families.includes(family));
  if (sources) {
    const kinds = sources.flatMap((source) => KINDS[source]);
    tests.push(({ source }) => kinds.includes(source.kind));
  }
  if (peers) {
    const keys = new Set(peers.map((text) => parseAddress(text)?.key));
    tests.push(
      ({ source: { name, address } }) => peers.includes(name) || (address !== null && keys.has(address.key)),
    );
  }
  if (neighbourAs) {
    tests.push(({ table, attrs }) => neighbourAs.includes(table.firstAs.values[attrs]));
  }
  if (origins) {
    tests.push(({ table, attrs }) => origins.includes(ORIGINS[table.origin.values[attrs]]));
  }
  if (match.nextHops) tests.push(nextHopTest(match.nextHops, lists, [...path, 'nextHops']));
  if (match.communities) tests.push(...communityTests(match.communities, lists, [...path, 'communities']));
  if (match.asPaths) {
    const patterns = lists.asPaths(match.asPaths, [...path, 'asPaths']);
    tests.push((subject) => patterns.some((pattern) => pattern.test(subject.asPath)));
  }
  const prefixes = match.prefixes ? lists.prefixes(match.prefixes, [...path, 'prefixes']) : null;
  return { prefixes, attributes: tests };
}

function communityTests(
  { any, all }: { any?: readonly string[]; all?: readonly string[] },
  lists: PolicyLists,
  path: Path,
): AttributeTest[] {
  const tests: AttributeTest[] = [];
  if (any) {
    const patterns = lists.communities(any, [...path, 'any']).flat();
    tests.push((subject) => patterns.some((pattern) => subject.hasCommunity(pattern)));
  }
  if (all) {
    const groups = lists.communities(all, [...path, 'all']);
    tests.push((subject) => groups.every((group) => group.some((pattern) => subject.hasCommunity(pattern))));
  }
  return tests;
}

function nextHopTest(texts: readonly string[], lists: PolicyLists, path: Path): AttributeTest {
  const list = new PrefixList();
  texts.forEach((text, i) => {
    lists.attempt([...path, i], () => list.addWithin(text));
  });
  return ({ table, attrs }) => {
    const address = table.nextHopOf(attrs);
    return address !== null && list.has(address.bits, IPPrefix.host(address).toNlri(), 0);
  };
}

/** The attributes of a route as conditions ask for them; read from the stored form when needed. */
export class RouteSubject {
  readonly table: AttributeTable;
  readonly attrs: AttrsId;
  readonly source: Source;
  private elements: AsPathElements | null = null;

  constructor(table: AttributeTable, attrs: AttrsId, source: Source) {
    this.table = table;
    this.attrs = attrs;
    this.source = source;
  }

  /** AS_PATH without confederation segments, which other ASes never see (RFC 5065 §5.3). */
  get asPath(): AsPathElements {
    this.elements ??= elementsOf(this.segments());
    return this.elements;
  }

  /** The segments of AS_PATH. */
  segments(): AsSegment[] {
    const value = this.table.valueOf(this.attrs, AttributeType.asPath);
    return value ? readSegments(this.table.chunkOf(this.attrs), value.start, value.end, 4) : [];
  }

  /** Whether the route has a community that matches the pattern. */
  hasCommunity(pattern: CommunityPattern): boolean {
    const value = this.table.valueOf(this.attrs, pattern.attribute);
    const size = COMMUNITY_SIZES.get(pattern.attribute);
    if (!value || !size) return false;
    const bytes = this.table.chunkOf(this.attrs);
    for (let at = value.start; at + size <= value.end; at += size) {
      if (communityMatches(pattern, bytes, at)) return true;
    }
    return false;
  }
}

function elementsOf(segments: readonly AsSegment[]): AsPathElements {
  return segments.flatMap(({ type, ases }) => {
    if (type === 'sequence') return ases.map((as) => [as]);
    return type === 'set' ? [ases] : [];
  });
}
