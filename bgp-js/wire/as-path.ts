/** AS_PATH as octets, objects and text (RFC 4271 §4.3, RFC 5065 §3), and its two-octet form (RFC 6793). */
import { AttributeType, encodeAttribute, Flag, Segment } from './attribute-types.ts';
import { readU16, readU32, writeU16, writeU32 } from './cursor.ts';
import { AS_TRANS } from './open.ts';

/** A segment of AS_PATH (RFC 4271 §4.3). */
export interface AsSegment {
  type: 'sequence' | 'set' | 'confed-sequence' | 'confed-set';
  ases: number[];
}

const NAMES = ['', 'set', 'sequence', 'confed-sequence', 'confed-set'] as const;
const CODES: Record<AsSegment['type'], number> = {
  set: Segment.set,
  sequence: Segment.sequence,
  'confed-sequence': Segment.confedSequence,
  'confed-set': Segment.confedSet,
};

/** Reads a valid path of AS numbers of `size` octets; stops at a malformed segment. */
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

/**
 * The value of an AS_PATH. With two octets an AS number above 65535 becomes AS_TRANS. Throws RangeError for a segment of
 * more than 255 AS numbers.
 */
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

/** The path with `as` in front: in the leading sequence, or in a new one (RFC 4271 §5.1.2). */
export function prependTo(segments: readonly AsSegment[], as: number): AsSegment[] {
  const [first, ...rest] = segments;
  if (first?.type !== 'sequence' || first.ases.length === 255) {
    return [{ type: 'sequence', ases: [as] }, ...segments];
  }
  return [{ type: 'sequence', ases: [as, ...first.ases] }, ...rest];
}

/** The second AS number of a path that starts with sequences; 0: none. */
export function secondAs(segments: readonly AsSegment[]): number {
  const [first, next] = segments;
  if (first?.type !== 'sequence') return 0;
  if (first.ases.length > 1) return first.ases[1];
  return next?.type === 'sequence' ? next.ases[0] : 0;
}

/** How often `as` appears in a valid path of four-octet AS numbers, in segments of any type. */
export function countInPath(bytes: Uint8Array, start: number, end: number, as: number): number {
  let count = 0;
  for (let at = start; at + 2 <= end; ) {
    const next = at + 2 + 4 * bytes[at + 1];
    for (let i = at + 2; i + 4 <= Math.min(next, end); i += 4) if (readU32(bytes, i) === as) count++;
    at = next;
  }
  return count;
}

/** Whether an AS number is for private use (RFC 6996 §5). */
export function isPrivateAs(as: number): boolean {
  return (as >= 64512 && as <= 65534) || (as >= 4200000000 && as <= 4294967294);
}

/** The text of an AS_PATH: sequences plain, sets in braces, confederation sequences in parentheses, sets in brackets. */
export function formatAsPath(segments: readonly AsSegment[]): string {
  return segments
    .map(({ type, ases }) => {
      if (type === 'sequence') return ases.join(' ');
      if (type === 'set') return `{${ases.join(',')}}`;
      return type === 'confed-sequence' ? `(${ases.join(' ')})` : `[${ases.join(',')}]`;
    })
    .join(' ');
}

// --- two-octet AS numbers ----------------------------------------------------------------------------------------------

/** The length of a path as route selection counts it (RFC 4271 §9.1.2.2 a). */
const countOf = (segments: readonly AsSegment[]): number =>
  segments.reduce((sum, { type, ases }) => {
    if (type === 'sequence') return sum + ases.length;
    return type === 'set' ? sum + 1 : sum;
  }, 0);

const isPlain = ({ type }: AsSegment): boolean => type === 'sequence' || type === 'set';

/** AS_PATH and AS4_PATH of a two-octet speaker as one path: the leading part of AS_PATH, then AS4_PATH (RFC 6793 §4.2.3). */
export function mergeAs4Path(path: AsSegment[], received: AsSegment[]): AsSegment[] {
  // RFC 6793 §3: segments of a confederation are not allowed there and are ignored.
  const as4Path = received.filter(isPlain);
  let leading = countOf(path) - countOf(as4Path);
  if (as4Path.length === 0 || leading < 0) return path;
  const merged: AsSegment[] = [];
  for (const segment of path) {
    if (leading <= 0) break;
    const taken = segment.type === 'sequence' ? segment.ases.slice(0, leading) : segment.ases;
    merged.push({ type: segment.type, ases: taken });
    leading -= countOf([{ type: segment.type, ases: taken }]);
  }
  const last = merged.at(-1);
  const [first, ...rest] = as4Path;
  if (last?.type === 'sequence' && first.type === 'sequence' && last.ases.length + first.ases.length <= 255) {
    last.ases = [...last.ases, ...first.ases];
    return [...merged, ...rest];
  }
  return [...merged, ...as4Path];
}

/**
 * The attributes for a two-octet speaker: AS_PATH and, if a number needs four octets, AS4_PATH (RFC 6793 §4.2.2). The
 * argument is the value of an AS_PATH with four-octet numbers.
 */
export function pathForTwoOctets(bytes: Uint8Array, start: number, end: number): Uint8Array[] {
  const segments = readSegments(bytes, start, end, 4);
  const path = encodeAttribute(Flag.transitive, AttributeType.asPath, writeSegments(segments, 2));
  const plain = segments.filter(isPlain);
  if (!plain.some(({ ases }) => ases.some((as) => as > 0xffff))) return [path];
  const optional = Flag.optional | Flag.transitive;
  return [path, encodeAttribute(optional, AttributeType.as4Path, writeSegments(plain, 4))];
}
