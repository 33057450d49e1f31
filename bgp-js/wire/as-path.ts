/** AS_PATH between wire form, objects and text (RFC 4271 §4.3, RFC 5065 §3). */
import { Segment } from './attribute-types.ts';
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

/** The path with `as` in front: in the leading sequence, or in a new one (RFC 4271 §5.1.2). */
export function prependTo(segments: readonly AsSegment[], as: number): AsSegment[] {
  const [first, ...rest] = segments;
  if (first?.type !== 'sequence' || first.ases.length === 255) {
    return [{ type: 'sequence', ases: [as] }, ...segments];
  }
  return [{ type: 'sequence', ases: [as, ...first.ases] }, ...rest];
}

/** The second AS number of a path that begins with sequences, 0 when there is none. */
export function secondAs(segments: readonly AsSegment[]): number {
  const [first, next] = segments;
  if (first?.type !== 'sequence') return 0;
  if (first.ases.length > 1) return first.ases[1];
  return next?.type === 'sequence' ? next.ases[0] : 0;
}

/** How often `as` stands in a sound path of four-octet AS numbers, in segments of any type. */
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

/** AS_PATH as people write it: sequences plain, sets in braces, confederation segments in parentheses. */
export function formatAsPath(segments: readonly AsSegment[]): string {
  return segments
    .map(({ type, ases }) => {
      if (type === 'sequence') return ases.join(' ');
      if (type === 'set') return `{${ases.join(',')}}`;
      return type === 'confed-sequence' ? `(${ases.join(' ')})` : `[${ases.join(',')}]`;
    })
    .join(' ');
}
