/** A case of the catalogue of hostile input as data, and the parts that cases are built from. */

import { openBytes } from 'bgp-js-testing/index.ts';
import { encodeAttribute } from '../../wire/attribute-types.ts';
import { writeHeader } from '../../wire/frame.ts';
import { type Attributes, HEADER_LENGTH } from '../../wire/index.ts';
import { prefix } from '../ip/values.ts';

export const LOCAL_AS = 64512;
export const ATTACKER_AS = 65001;
/** The speaker's BGP identifier and address, and its cluster id. */
export const LOCAL_ADDRESS = '10.0.0.1';
export const CLUSTER = '10.0.0.7';
/** A route that the attacker announces in a valid UPDATE before the case starts. */
export const TARGET = '198.51.100.0/24';

/** A required reaction of the speaker. "The route" is TARGET. */
export type Reaction =
  /** The session ends with this NOTIFICATION. */
  | { kind: 'reset'; code: number; subcode: number; data?: number[] }
  /** The connection is closed without a NOTIFICATION. */
  | { kind: 'close' }
  /** RFC 7606 treat-as-withdraw: the session stays up, the route is removed. */
  | { kind: 'treat-as-withdraw' }
  /** RFC 7606 attribute discard: the route is used without the attribute. */
  | { kind: 'discard'; without: keyof Attributes | number }
  /** The route stays in Adj-RIB-In and is not used. */
  | { kind: 'unusable'; reason: RegExp }
  /** The session stays up, or is established, and the route is used. */
  | { kind: 'accept'; attributes?: Partial<Attributes>; passedOn?: Uint8Array; dropped?: number };

export interface HostileCase {
  /** Its number in the catalogue. */
  number: number;
  what: string;
  /** By default an established eBGP session with four-octet AS numbers. */
  ibgp?: boolean;
  twoOctet?: boolean;
  state?: 'OpenSent' | 'OpenConfirm';
  /** The messages to send, one after the other. */
  send: Uint8Array[];
  /** The allowed reactions, mostly one. */
  expect: Reaction[];
}

export const reset = (code: number, subcode: number, data?: number[]): Reaction[] => [
  { kind: 'reset', code, subcode, data },
];
export const withdrawn: Reaction[] = [{ kind: 'treat-as-withdraw' }];
export const discarded = (without: keyof Attributes | number): Reaction[] => [{ kind: 'discard', without }];
export const unusable = (reason: RegExp): Reaction[] => [{ kind: 'unusable', reason }];
export const accepted = (more: Omit<Reaction & { kind: 'accept' }, 'kind'> = {}): Reaction[] => [
  { kind: 'accept', ...more },
];

/** A message with any header. */
export function message(
  type: number,
  body: Uint8Array,
  { length = HEADER_LENGTH + body.length, marker = 0xff } = {},
): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + body.length);
  writeHeader(bytes, 0, length, type);
  bytes[0] = marker;
  bytes.set(body, HEADER_LENGTH);
  return bytes;
}

const u16 = (value: number): number[] => [value >> 8, value & 0xff];

/** The NLRI of prefixes in text. */
export const nlri = (...prefixes: string[]): Uint8Array =>
  Buffer.concat(prefixes.map((text) => prefix(text).toNlri()));

export const NONE = new Uint8Array(0);
export const TARGET_NLRI = nlri(TARGET);

/** An UPDATE of three fields; lengths that are not given are right. */
export function update(
  attributes: Uint8Array[],
  prefixes: Uint8Array = TARGET_NLRI,
  fields: { withdraw?: Uint8Array; withdrawLength?: number; attributesLength?: number } = {},
): Uint8Array {
  const joined = Buffer.concat(attributes);
  const { withdraw = NONE, attributesLength: length = joined.length } = fields;
  const { withdrawLength = withdraw.length } = fields;
  return message(
    2,
    Buffer.concat([octets(...u16(withdrawLength)), withdraw, octets(...u16(length)), joined, prefixes]),
  );
}

export const octets = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** An attribute with a valid length. */
export const attribute = (flags: number, type: number, ...value: number[]): Uint8Array =>
  encodeAttribute(flags, type, Uint8Array.from(value));

export const ORIGIN = attribute(0x40, 1, 0);
export const NEXT_HOP = attribute(0x40, 3, 192, 0, 2, 9);
/** AS_PATH of four-octet numbers in one sequence. */
export const pathOf = (...ases: number[]): Uint8Array =>
  attribute(0x40, 2, 2, ases.length, ...ases.flatMap((as) => [...u16(as >>> 16), ...u16(as & 0xffff)]));
export const AS_PATH = pathOf(ATTACKER_AS);
export const LOCAL_PREF = attribute(0x40, 5, 0, 0, 0, 100);

/** An UPDATE with the mandatory attributes, followed by others. */
export const withAttributes = (...more: Uint8Array[]): Uint8Array =>
  update([ORIGIN, AS_PATH, NEXT_HOP, ...more]);
/** The same on an iBGP session. */
export const internalWith = (...more: Uint8Array[]): Uint8Array =>
  update([ORIGIN, attribute(0x40, 2), NEXT_HOP, LOCAL_PREF, ...more]);
/** An UPDATE with another AS_PATH, or another NEXT_HOP. */
export const withPath = (path: Uint8Array): Uint8Array => update([ORIGIN, path, NEXT_HOP]);
export const withNextHop = (...value: number[]): Uint8Array =>
  update([ORIGIN, AS_PATH, attribute(0x40, 3, ...value)]);

/** A valid OPEN of the attacker. */
export function validOpen({ ibgp, twoOctet }: Pick<HostileCase, 'ibgp' | 'twoOctet'>): Uint8Array {
  const as = ibgp ? LOCAL_AS : ATTACKER_AS;
  const ipv4 = { code: 1, value: octets(0, 1, 0, 1) };
  return openBytes(as, { identifier: 0x0a000009, ...(twoOctet && { capabilities: [ipv4] }) });
}

/** An OPEN of the attacker with these octets after the fixed fields: length and optional parameters. */
export function rawOpen(...parameters: number[]): Uint8Array {
  return message(1, octets(4, ...u16(ATTACKER_AS), 0, 90, 10, 0, 0, 9, ...parameters));
}
