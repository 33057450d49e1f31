/**
 * Routing policy as plain data: what YAML or a program says. compile.ts checks it and makes it fit to run. Names of
 * lists and policies are the keys of their records.
 */

/** The lists and policies of a speaker. */
export interface PolicySet {
  /** Entries are `PREFIX [ge BITS] [le BITS]`; without either only the very prefix matches. */
  prefixLists?: Readonly<Record<string, readonly string[]>>;
  /** Patterns over AS numbers (as-path-pattern.ts); one of them has to match. */
  asPathLists?: Readonly<Record<string, readonly string[]>>;
  /** Communities (community-pattern.ts); `*` stands for any number. */
  communityLists?: Readonly<Record<string, readonly string[]>>;
  policies?: Readonly<Record<string, PolicyData>>;
}

/** Rules in their order, and what becomes of a route that none of them accepted or rejected. */
export interface PolicyData {
  rules: readonly PolicyRule[];
  otherwise: 'accept' | 'reject';
}

/** One rule. It applies when everything in `match` does; without `match` it applies to every route. */
export interface PolicyRule {
  name: string;
  match?: PolicyMatch;
  /** Done before the action. A rule that rejects has none. */
  set?: PolicyChanges;
  /** `next`: go on with the next rule. */
  action: 'accept' | 'reject' | 'next';
}

/**
 * Conditions on a route as it came to the policy, not as former rules changed it. Of a list one element is enough;
 * where a list takes prefixes, patterns or communities, an element may also be the name of such a list.
 */
export interface PolicyMatch {
  prefixes?: readonly string[];
  /** Names of address families, e.g. `ipv4-unicast`. */
  families?: readonly string[];
  communities?: { any?: readonly string[]; all?: readonly string[] };
  asPaths?: readonly string[];
  /** Names or addresses of the peers from which the route was learned. */
  peers?: readonly string[];
  /** The AS that handed the route to ours: the first one of AS_PATH. */
  neighbourAs?: readonly number[];
  origins?: readonly ('IGP' | 'EGP' | 'incomplete')[];
  /** Prefixes that hold the next hop. */
  nextHops?: readonly string[];
  sources?: readonly ('local' | 'ebgp' | 'ibgp')[];
}

/** Changes to a route's attributes. Numbers stay within 32 bits. */
export interface PolicyChanges {
  localPref?: number;
  med?: number;
  /** Added to the MED, taken off when negative; a route without one counts as 0. */
  medAdd?: number;
  /** `replace` takes out every community of every kind first, then `remove` and `add` are done. */
  communities?: { add?: readonly string[]; remove?: readonly string[]; replace?: readonly string[] };
  /** Puts an AS number in front of AS_PATH, our own unless told; `times` 1–32. */
  prepend?: { as?: number; times: number };
  /** `self` and `unchanged` are for export alone: our address on the session, or what the route came with. */
  nextHop?: string;
}
