/** Whether a path of Adj-RIB-In takes part in the decision process, and if not, why. */
export const PathState = {
  usable: 0,
  asLoop: 1,
  reflectionLoop: 2,
  ownNextHop: 3,
  ownRange: 4,
  defaultRoute: 5,
  martian: 6,
  foreignFirstAs: 7,
  longAsPath: 8,
  routeLeak: 9,
  unwantedBlackhole: 10,
  refusedByPolicy: 11,
  noPolicy: 12,
} as const;

/** The lower bits of a path's state are one of PathState; this one marks members of a multipath set. */
export const MULTIPATH = 0x80;
/** Equal to the generation of the path's source unless the path is stale: not yet confirmed after a restart. */
export const GENERATION = 0x40;
export const STATE_MASK = 0x3f;

const WORDS: readonly string[] = [
  'usable',
  'AS_PATH holds our own AS: a loop',
  'ORIGINATOR_ID or CLUSTER_LIST holds our own identifier: a reflection loop',
  'its next hop is our own address',
  'refused: within a range of our own',
  'refused: a default route, and acceptDefault is not set for this peer',
  'refused: not a unicast destination (loopback, link-local, multicast or reserved)',
  "the first AS of AS_PATH is not the peer's",
  'AS_PATH is longer than maximumAsPathLength',
  'a route leak: OTC says that it was only for customers (RFC 9234)',
  'refused: it has the community blackhole, and acceptBlackhole is not set for this peer',
  'refused by the import policy',
  'refused: the eBGP peer has no import policy (RFC 8212)',
];

/** Why a path is unusable, in words. */
export function stateText(state: number): string {
  return WORDS[state & STATE_MASK] ?? `state ${state}`;
}
