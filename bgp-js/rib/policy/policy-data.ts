/**
 * Routing policy as plain data, as YAML or a program gives it; policy.ts compiles it. Names of lists and policies are the
 * keys of their records.
 */

/** The lists and policies of a speaker. */
export interface PolicySet {
  /** Entries are `PREFIX [ge BITS] [le BITS]`; with neither, only the prefix itself matches. */
  prefixLists?: Readonly<Record<string, readonly string[]>>;
  /** Patterns over AS numbers (as-path-pattern.ts), of which one has to match. */
  asPathLists?: Readonly<Record<string, readonly string[]>>;
  /** Communities (community-pattern.ts); `*` matches any number. */
  communityLists?: Readonly<Record<string, readonly string[]>>;
  policies?: Readonly<Record<string, PolicyData>>;
}

/** Rules in order, and the action for a route that none of them accepts or rejects. */
export interface PolicyData {
  rules: readonly PolicyRule[];
  otherwise: 'accept' | 'reject';
}

/** One rule. It applies to routes that satisfy all conditions in `match`, or to all routes without `match`. */
export interface PolicyRule {
  name: string;
  match?: PolicyMatch;
  /** Changes, made before the action. A rule that rejects has none. */
  set?: PolicyChanges;
  /** `next`: continue with the next rule. */
  action: 'accept' | 'reject' | 'next';
}

/**
 * Conditions on a route as it entered the policy, without the changes of earlier rules. Of each list one element has to
 * match. Where elements are prefixes, patterns or communities, an element may also be the name of such a list.
 */
export interface PolicyMatch {
  prefixes?: readonly string[];
  /** Names of address families, e.g. `ipv4-unicast`. */
  families?: readonly string[];
  communities?: { any?: readonly string[]; all?: readonly string[] };
  asPaths?: readonly string[];
  /** Names or addresses of the peers from which the route was learned. */
  peers?: readonly string[];
  /** The AS from which ours received the route: the first one of AS_PATH. */
  neighbourAs?: readonly number[];
  origins?: readonly ('IGP' | 'EGP' | 'incomplete')[];
  /** Prefixes that contain the next hop. */
  nextHops?: readonly string[];
  sources?: readonly ('local' | 'ebgp' | 'ibgp')[];
}

/** Changes to a route's attributes. Numbers stay within 32 bits. */
export interface PolicyChanges {
  localPref?: number;
  med?: number;
  /** Added to the MED; may be negative. The MED of a route without one is 0. */
  medAdd?: number;
  /** `replace` removes all communities of all kinds first; then `remove` and `add` are applied. */
  communities?: { add?: readonly string[]; remove?: readonly string[]; replace?: readonly string[] };
  /** Prepends an AS number to AS_PATH, our own unless given; `times` 1–32. */
  prepend?: { as?: number; times: number };
  /** An IPv4 address; or, for export only, `self`, our address on the session, or `unchanged`, as received. */
  nextHop?: string;
}

/** A mistake in policy data, and the keys and indices that lead to it. */
export interface PolicyProblem {
  path: readonly (string | number)[];
  message: string;
}

/** Thrown for policy data that cannot be compiled; lists all mistakes. */
export class PolicyError extends Error {
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super(problems.map(({ path, message }) => `${formatPath(path)} ${message}`).join('\n'));
    this.name = 'PolicyError';
    this.problems = problems;
  }
}

/** A path in its usual notation: `policies.tor-in.rules[2].match.prefixes[0]`. */
function formatPath(path: readonly (string | number)[]): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`))
    .join('');
}
