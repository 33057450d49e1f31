/** Path attribute type codes (IANA, BGP Path Attributes). */
export const AttributeType = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  largeCommunities: 32,
} as const;

/** Attribute flags (RFC 4271 §4.3). */
export const Flag = { optional: 0x80, transitive: 0x40, partial: 0x20, extended: 0x10 } as const;

/** What every implementation of an attribute has to know about it before its value is looked at. */
export interface AttributeDescriptor {
  name: string;
  /** The Optional and Transitive bits that it must have. */
  flags: number;
}

const WELL_KNOWN = Flag.transitive;
const OPTIONAL_TRANSITIVE = Flag.optional | Flag.transitive;
const OPTIONAL = Flag.optional;

/** Known attributes by type code; the index is the code. */
export const ATTRIBUTES: readonly (AttributeDescriptor | undefined)[] = (() => {
  const table: (AttributeDescriptor | undefined)[] = new Array(256).fill(undefined);
  const add = (code: number, name: string, flags: number) => {
    table[code] = { name, flags };
  };
  add(AttributeType.origin, 'ORIGIN', WELL_KNOWN);
  add(AttributeType.asPath, 'AS_PATH', WELL_KNOWN);
  add(AttributeType.nextHop, 'NEXT_HOP', WELL_KNOWN);
  add(AttributeType.med, 'MULTI_EXIT_DISC', OPTIONAL);
  add(AttributeType.localPref, 'LOCAL_PREF', WELL_KNOWN);
  add(AttributeType.atomicAggregate, 'ATOMIC_AGGREGATE', WELL_KNOWN);
  add(AttributeType.aggregator, 'AGGREGATOR', OPTIONAL_TRANSITIVE);
  add(AttributeType.communities, 'COMMUNITIES', OPTIONAL_TRANSITIVE);
  add(AttributeType.originatorId, 'ORIGINATOR_ID', OPTIONAL);
  add(AttributeType.clusterList, 'CLUSTER_LIST', OPTIONAL);
  add(AttributeType.mpReach, 'MP_REACH_NLRI', OPTIONAL);
  add(AttributeType.mpUnreach, 'MP_UNREACH_NLRI', OPTIONAL);
  add(AttributeType.extendedCommunities, 'EXTENDED COMMUNITIES', OPTIONAL_TRANSITIVE);
  add(AttributeType.as4Path, 'AS4_PATH', OPTIONAL_TRANSITIVE);
  add(AttributeType.as4Aggregator, 'AS4_AGGREGATOR', OPTIONAL_TRANSITIVE);
  add(AttributeType.largeCommunities, 'LARGE_COMMUNITY', OPTIONAL_TRANSITIVE);
  return table;
})();

/** An attribute's name, for errors and views. */
export function attributeName(type: number): string {
  return ATTRIBUTES[type]?.name ?? `attribute ${type}`;
}

/** AS_PATH segment types (RFC 4271 §4.3, RFC 5065 §3). */
export const Segment = { set: 1, sequence: 2, confedSequence: 3, confedSet: 4 } as const;

/** Well-known communities (RFC 1997, 8326). */
export const Community = {
  gracefulShutdown: 0xffff0000,
  noExport: 0xffffff01,
  noAdvertise: 0xffffff02,
  noExportSubconfed: 0xffffff03,
} as const;
