/** What a speaker takes from a peer: limits that hold unless somebody asks otherwise. */
import { SetFlag } from '../wire/attribute-scan.ts';
import { type IPv4Prefix, maskOf } from '../wire/prefix.ts';
import type { AttributeTable } from './attribute-table.ts';
import { PathState } from './path-state.ts';

export interface ImportRules {
  /** Accept 0.0.0.0/0. */
  acceptDefault: boolean;
  /** For eBGP: the AS with which every AS_PATH has to begin (RFC 4271 §6.3); 0: any. */
  firstAs: number;
}

/** What is never accepted from anybody: this speaker's own addresses and the ranges that only it may announce. */
export interface OwnNumbers {
  addresses: ReadonlySet<number>;
  ranges: readonly IPv4Prefix[];
}

/** Judges the attributes of a route: PathState.usable, or why it is not. */
export function judgeAttributes(
  table: AttributeTable,
  set: number,
  rules: ImportRules,
  own: OwnNumbers,
): number {
  const flags = table.flags.values[set];
  if ((flags & SetFlag.asLoop) !== 0) return PathState.asLoop;
  if ((flags & SetFlag.reflectionLoop) !== 0) return PathState.reflectionLoop;
  if (own.addresses.has(table.nextHop.values[set])) return PathState.ownNextHop;
  if (rules.firstAs !== 0 && table.firstAs.values[set] !== rules.firstAs) return PathState.foreignFirstAs;
  return PathState.usable;
}

/** Judges the prefix whose NLRI is at `at`. */
export function judgePrefix(bytes: Uint8Array, at: number, rules: ImportRules, own: OwnNumbers): number {
  const length = bytes[at];
  if (length === 0) return rules.acceptDefault ? PathState.usable : PathState.defaultRoute;
  const first = bytes[at + 1];
  // RFC 1122 §3.2.1.3, RFC 3927, RFC 5771: "this" network, loopback, link-local, multicast and reserved.
  if (first === 0 || first === 127 || first >= 224) return PathState.martian;
  if (first === 169 && length >= 16 && bytes[at + 2] === 254) return PathState.martian;
  for (const range of own.ranges) {
    if (length >= range.length && (addressAt(bytes, at) & maskOf(range.length)) >>> 0 === range.address) {
      return PathState.ownRange;
    }
  }
  return PathState.usable;
}

function addressAt(bytes: Uint8Array, at: number): number {
  const octets = (bytes[at] + 7) >> 3;
  let address = 0;
  for (let i = 1; i <= octets; i++) address |= bytes[at + i] << (32 - 8 * i);
  return address >>> 0;
}
