/** Two-octet AS numbers: to and from speakers without RFC 6793. */

import { AttributeType, Flag, Segment } from './attribute-types.ts';
import { type AsSegment, encodeAttribute } from './attributes.ts';
import { readU16, readU32, writeU16, writeU32 } from './cursor.ts';
import { AS_TRANS } from './open.ts';

const NAMES = ['', 'set', 'sequence', 'confed-sequence', 'confed-set'] as const;
const CODES: Record<AsSegment['type'], number> = {
  set: Segment.set,
  sequence: Segment.sequence,
  'confed-sequence': Segment.confedSequence,
  'confed-set': Segment.confedSet,
};

/** Reads a path of `size`-octet AS numbers that was found sound; stops at what is not. */
export function readSegments(bytes: Uint8Array, start: number, end: number, size: 2 | 4): AsSegment[] {
  const segments: AsSegment[] = [];
  let at = start;
  while (at + 2 <= end) {
    const type = NAMES[bytes[at]];
    const next = at + 2 + size * bytes[at + 1];
    if (!type || next > end) return segments;
    const ases: number[] = [];
    for (let i = at + 2; i < next; i += size) ases.push(size === 4 ? readU32(bytes, i) : readU16(bytes, i));
    segments.push({ type, ases });
    at = next;
  }
  return segments;
}

/** The value of an AS_PATH; with two octets an AS number above 65535 becomes AS_TRANS. */
export function writeSegments(segments: readonly AsSegment[], size: 2 | 4): Uint8Array {
  const bytes = new Uint8Array(segments.reduce((sum, { ases }) => sum + 2 + size * ases.length, 0));
  let at = 0;
  for (const { type, ases } of segments) {
    if (ases.length > 255) throw new RangeError(`${ases.length} AS numbers do not fit one segment`);
    bytes[at] = CODES[type];
    bytes[at + 1] = ases.length;
    at += 2;
    for (const as of ases) {
      if (size === 4) writeU32(bytes, at, as);
      else writeU16(bytes, at, as > 0xffff ? AS_TRANS : as);
      at += size;
    }
  }
  return bytes;
}

const countOf = (segments: readonly AsSegment[]): number =>
  segments.reduce((sum, { type, ases }) => {
    if (type === 'sequence') return sum + ases.length;
    return type === 'set' ? sum + 1 : sum;
  }, 0);

/** AS_PATH and AS4_PATH of a two-octet speaker as one path (RFC 6793 §4.2.3). */
export function mergeAs4Path(path: AsSegment[], as4Path: AsSegment[]): AsSegment[] {
  let lead = countOf(path) - countOf(as4Path);
  if (as4Path.length === 0 || lead < 0) return path;
  const merged: AsSegment[] = [];
  for (const segment of path) {
    if (lead <= 0) break;
    const taken = segment.type === 'sequence' ? segment.ases.slice(0, lead) : segment.ases;
    merged.push({ type: segment.type, ases: taken });
    lead -= segment.type === 'sequence' ? taken.length : segment.type === 'set' ? 1 : 0;
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
  const plain = segments.filter(({ type }) => type === 'sequence' || type === 'set');
  if (!plain.some(({ ases }) => ases.some((as) => as > 0xffff))) return [path];
  const optional = Flag.optional | Flag.transitive;
  return [path, encodeAttribute(optional, AttributeType.as4Path, writeSegments(plain, 4))];
}
