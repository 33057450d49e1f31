/** AS_PATH as external peers see it, before our own AS goes in front. */
import { type AsSegment, isPrivateAs } from '../../wire/as-path.ts';
import { SetFlag } from '../../wire/attribute-types.ts';
import type { ExportProfile } from './export-profile.ts';

/** Whether the path of a set with these flags has to be changed beyond what goes in front. */
export function changesPath(t: ExportProfile, attrsFlags: number): boolean {
  return Boolean(t.removePrivateAs || t.asOverride) || (attrsFlags & SetFlag.confederation) !== 0;
}

/**
 * The path without segments of a confederation, which never leave it (RFC 5065 §4.1 c); as the treatment says, without
 * AS numbers for private use (RFC 6996 §4) but for the peer's own, by which it knows a loop; and with ours in the place
 * of the peer's (AS override), so that sites of one AS can be joined.
 */
export function externalPath(segments: readonly AsSegment[], t: ExportProfile): AsSegment[] {
  const exported: AsSegment[] = [];
  for (const { type, ases } of segments) {
    if (type !== 'sequence' && type !== 'set') continue;
    const kept = t.removePrivateAs ? ases.filter((as) => !isPrivateAs(as) || as === t.peerAs) : ases;
    const replaced = t.asOverride ? kept.map((as) => (as === t.peerAs ? t.localAs : as)) : kept;
    if (replaced.length > 0) exported.push({ type, ases: replaced });
  }
  return exported;
}

/** The AS numbers that go in front: none from a route server (RFC 7947 §2.2.2.1), two with a local AS (RFC 7705 §3). */
export function ownPath({ routeServer, localAs, globalAs }: ExportProfile): readonly number[] {
  if (routeServer) return [];
  return globalAs ? [localAs, globalAs] : [localAs];
}
