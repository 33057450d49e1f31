/** Two-octet AS numbers: to and from speakers without RFC 6793. */

import { type AsSegment, readSegments, writeSegments } from './as-path.ts';
import { AttributeType, Flag } from './attribute-types.ts';
import { encodeAttribute } from './tlv.ts';

const countOf = (segments: readonly AsSegment[]): number =>
  segments.reduce((sum, { type, ases }) => {
    if (type === 'sequence') return sum + ases.length;
    return type === 'set' ? sum + 1 : sum;
  }, 0);

const isPlain = ({ type }: AsSegment): boolean => type === 'sequence' || type === 'set';

/** AS_PATH and AS4_PATH of a two-octet speaker as one path (RFC 6793 §4.2.3). */
export function mergeAs4Path(path: AsSegment[], received: AsSegment[]): AsSegment[] {
  // §3: segments of a confederation have no business there and are passed over.
  const as4Path = received.filter(isPlain);
  let pathIdBytes = countOf(path) - countOf(as4Path);
  if (as4Path.length === 0 || pathIdBytes < 0) return path;
  const merged: AsSegment[] = [];
  for (const segment of path) {
    if (pathIdBytes <= 0) break;
    const taken = segment.type === 'sequence' ? segment.ases.slice(0, pathIdBytes) : segment.ases;
    merged.push({ type: segment.type, ases: taken });
    pathIdBytes -= segment.type === 'sequence' ? taken.length : segment.type === 'set' ? 1 : 0;
  }
  const last = merged.at(-1);
  const [first, ...rest] = as4Path;
  if (last?.type === 'sequence' && first.type === 'sequence' && last.ases.length + first.ases.length <= 255) {
    last.ases = [...last.ases, ...first.ases];
    return [...merged, ...rest];
  }
  return [...merged, ...as4Path];
}

/** AS_PATH and, where a number needs four octets, AS4_PATH towards a two-octet speaker (RFC 6793 §4.2.2). */
export function pathForTwoOctets(bytes: Uint8Array, start: number, end: number): Uint8Array[] {
  const segments = readSegments(bytes, start, end, 4);
  const path = encodeAttribute(Flag.transitive, AttributeType.asPath, writeSegments(segments, 2));
  const plain = segments.filter(isPlain);
  if (!plain.some(({ ases }) => ases.some((as) => as > 0xffff))) return [path];
  const optional = Flag.optional | Flag.transitive;
  return [path, encodeAttribute(optional, AttributeType.as4Path, writeSegments(plain, 4))];
}
