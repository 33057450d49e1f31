/** How routes are shown to a kind of peer: which ones, and with which changes to their attributes. */
import { SetFlag } from '../wire/attribute-scan.ts';
import { type Source, SourceKind } from './source.ts';

/** Peers with equal treatment share an update group. */
export interface ExportTreatment {
  ebgp: boolean;
  /** The peer is a client of this route reflector (RFC 4456). */
  client: boolean;
  /** 0: this speaker does not reflect. */
  clusterId: number;
  localAs: number;
  /** The peer understands four-octet AS numbers. */
  fourOctetAs: boolean;
  /** Our own address on the session, the next hop of what is announced with "next hop self". */
  nextHop: number;
  /** Replace the next hop also of routes learned from iBGP; eBGP and own routes always get ours. */
  nextHopSelf: boolean;
  /** Only what this speaker originates. */
  ownOnly: boolean;
}

/** Equal for equal treatments. */
export function treatmentKey(t: ExportTreatment): string {
  const { ebgp, client, clusterId, localAs, fourOctetAs, nextHop, nextHopSelf, ownOnly } = t;
  return [ebgp, client, clusterId, localAs, fourOctetAs, nextHop, nextHopSelf, ownOnly].join('/');
}

/**
 * Whether a route may go to peers of this treatment: RFC 4271 §9.2 (iBGP split horizon), RFC 4456 §6 (reflection),
 * RFC 1997 (well-known communities). `setFlags` are those of the route's attributes.
 */
export function mayExport(t: ExportTreatment, source: Source, setFlags: number): boolean {
  if ((setFlags & SetFlag.noAdvertise) !== 0) return false;
  if (source.kind === SourceKind.local) return true;
  if (t.ownOnly) return false;
  if (t.ebgp) return (setFlags & SetFlag.noExport) === 0;
  if (source.kind === SourceKind.external) return true;
  return t.clusterId !== 0 && (t.client || source.kind === SourceKind.client);
}
