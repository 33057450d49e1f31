/** Filters, sorts and pages the peers of `/v1/peers`; a reflector has a thousand. */
import type { PeersView, PeerView } from './api-documents.ts';

/** `state`: sessions that are down first; `since`: the latest change first; `in` and `out`: most prefixes first. */
export const PEER_SORTS = ['state', 'name', 'as', 'since', 'in', 'out'] as const;
/** One of `PEER_SORTS`. */
export type PeerSort = (typeof PEER_SORTS)[number];

/** The states of RFC 4271 in lower case, and `up` and `down` for established or not. */
export const PEER_STATES = [
  'up',
  'down',
  'idle',
  'connect',
  'active',
  'opensent',
  'openconfirm',
  'established',
] as const;
/** One of `PEER_STATES`. */
export type PeerStateFilter = (typeof PEER_STATES)[number];

/** The parameters of `/v1/peers`. Without any: all peers in the order of the configuration. */
export interface PeersQuery {
  state?: PeerStateFilter;
  /** Only peers with every word of this text in name, address, range, AS, type or state. */
  q?: string;
  sort?: PeerSort;
  limit?: number;
  offset?: number;
}

let collator: Intl.Collator | null = null;

/** Made at the first use: it loads collation data of 2.5 MB. */
function byName(a: PeerView, b: PeerView): number {
  collator ??= new Intl.Collator('en', { numeric: true });
  return collator.compare(a.name, b.name);
}

const isUp = (peer: PeerView) => peer.state === 'Established';

const ORDERS: Record<PeerSort, (a: PeerView, b: PeerView) => number> = {
  state: (a, b) => Number(isUp(a)) - Number(isUp(b)) || byName(a, b),
  name: byName,
  as: (a, b) => a.as - b.as || byName(a, b),
  // ISO 8601 sorts as text.
  since: (a, b) => (a.since === b.since ? byName(a, b) : a.since < b.since ? 1 : -1),
  in: (a, b) => b.prefixes.received - a.prefixes.received || byName(a, b),
  out: (a, b) => b.prefixes.sent - a.prefixes.sent || byName(a, b),
};

/** The selected page of peers, the number of peers that match, and the number of all peers in each state. */
export function selectPeers(all: readonly PeerView[], query: PeersQuery): PeersView {
  const { state, q = '', sort, limit = Number.POSITIVE_INFINITY, offset = 0 } = query;
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = all.filter((peer) => isInState(peer, state) && mentions(peer, words));
  if (sort) matching.sort(ORDERS[sort]);
  const states: PeersView['states'] = {};
  for (const peer of all) states[peer.state] = (states[peer.state] ?? 0) + 1;
  return { peers: matching.slice(offset, offset + limit), total: matching.length, states };
}

function isInState(peer: PeerView, state: PeerStateFilter | undefined): boolean {
  if (state === undefined) return true;
  if (state === 'up' || state === 'down') return isUp(peer) === (state === 'up');
  return peer.state.toLowerCase() === state;
}

function mentions(
  { name, address, range = '', as, type, state }: PeerView,
  words: readonly string[],
): boolean {
  if (words.length === 0) return true;
  const text = `${name} ${address} ${range} as${as} ${type} ${state}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
