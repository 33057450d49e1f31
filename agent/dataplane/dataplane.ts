/** What every dataplane does: it turns best routes into entries of the kernel's routing table. */

/** A best route: a prefix and the BGP next hops that share its traffic. */
export interface DataplaneEntry {
  /** Canonical `a.b.c.d/length`. */
  prefix: string;
  /** One or more IPv4 addresses; their order does not matter. */
  nextHops: readonly string[];
}

/** A next hop that cannot be used, and why. */
export interface UnresolvedNextHop {
  address: string;
  reason: string;
  /** How many prefixes name it. */
  prefixes: number;
}

/** A way to carry packets to the next hops of routes. */
export interface Dataplane {
  /** Wants this entry, in place of the one for the same prefix. @throws TypeError when it is malformed */
  set(entry: DataplaneEntry): void;
  /** Wants no entry for `prefix` any more. */
  delete(prefix: string): void;
  /** `installed`, `pending`, or why it is not in the kernel, in words; null when there is no such entry. */
  state(prefix: string): string | null;
  /** Next hops that lead nowhere at the moment. */
  unresolved(): UnresolvedNextHop[];
  /** Resolves when everything asked for so far has been resolved and written, or refused. */
  settled(): Promise<void>;
  /** Stops following changes. The kernel keeps its routes. */
  close(): void;
}

/**
 * Metrics of our routes; the lower wins between routes to one prefix. A blackhole for the node's own range comes
 * last, so that it can stand beside the host route of a range of one address.
 */
export const ROUTE_METRIC = { POD: 10, BGP: 20, BLACKHOLE: 0xffff0000 } as const;
