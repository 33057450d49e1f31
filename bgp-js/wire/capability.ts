/** Capabilities of an OPEN (RFC 5492): their codes, their meaning, and the values of those that list address families. */
import { Cursor, readU16, readU32, writeU16 } from './cursor.ts';
import { type BgpError, bgpError, OpenError } from './error.ts';
import { type Family, familyOf, IPV4_UNICAST } from './families.ts';

/** Capability codes (IANA, Capability Codes). */
export const CapabilityCode = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedNextHop: 5,
  extendedMessage: 6,
  gracefulRestart: 64,
  fourOctetAs: 65,
  addPath: 69,
  enhancedRefresh: 70,
  longLivedRestart: 71,
} as const;

const NAMES: Record<number, string> = {
  1: 'multiprotocol',
  2: 'route refresh',
  5: 'extended next hop',
  6: 'extended message',
  9: 'role',
  64: 'graceful restart',
  65: 'four-octet AS',
  69: 'ADD-PATH',
  70: 'enhanced route refresh',
  71: 'long-lived graceful restart',
  73: 'FQDN',
  75: 'software version',
};

/** One capability of an OPEN, undecoded (RFC 5492 §4). */
export interface RawCapability {
  code: number;
  value: Uint8Array;
}

/** The capabilities that a speaker advertised in its OPEN, as far as this library knows them. */
export interface Capabilities {
  /** Families that this library knows (RFC 4760 §8). Without a multiprotocol capability: IPv4 unicast (RFC 4271). */
  families: Family[];
  /** RFC 2918. */
  routeRefresh: boolean;
  /** RFC 7313. */
  enhancedRefresh: boolean;
  /** RFC 8654. */
  extendedMessage: boolean;
  /** Families whose routes may have IPv6 next hops (RFC 8950). */
  extendedNextHop: Family[];
  /** RFC 7911. */
  addPath: AddPathOffer[];
  /** RFC 4724; null: not supported. */
  restart: RestartOffer | null;
  /** RFC 9494; empty: the speaker retains no routes but understands LLGR_STALE; null: not supported. */
  longLived: LongLivedOffer[] | null;
  /** The four-octet AS number (RFC 6793); null: the speaker supports two octets only. */
  fourOctetAs: number | null;
  /** All capabilities in the order of the OPEN, unknown ones included. */
  raw: RawCapability[];
}

const overrun = (): BgpError =>
  bgpError(OpenError.unspecific, 'a capability runs past its optional parameter');

/** Reads the capabilities of one optional parameter of type 2 (RFC 5492 §4) and adds them to `into`. */
export function decodeCapabilities(cursor: Cursor, into: RawCapability[]): void {
  const bounded = new Cursor(cursor.bytes, cursor.position, cursor.end, overrun);
  while (bounded.remaining > 0) {
    const code = bounded.u8();
    const length = bounded.u8();
    into.push({ code, value: bounded.copy(length) });
  }
}

/**
 * Decodes a list of capabilities; an error for a malformed one. Each family is listed once, unknown families are left
 * out, and the first of a repeated capability counts.
 */
export function interpretCapabilities(raw: RawCapability[]): Capabilities | BgpError {
  const result = noCapabilities(raw);
  const seen = new Set<number>();
  for (const { code, value } of raw) {
    if (code === CapabilityCode.multiprotocol) {
      const family = value.length === 4 ? familyOf((value[0] << 8) | value[1], value[3]) : undefined;
      if (family && !result.families.includes(family)) result.families.push(family);
    } else if (!seen.has(code)) {
      const error = interpretOne(code, value, result);
      if (error) return error;
    }
    seen.add(code);
  }
  if (!raw.some(({ code, value }) => code === CapabilityCode.multiprotocol && value.length === 4)) {
    result.families.push(IPV4_UNICAST);
  }
  return result;
}

function noCapabilities(raw: RawCapability[]): Capabilities {
  return {
    families: [],
    routeRefresh: false,
    enhancedRefresh: false,
    extendedMessage: false,
    extendedNextHop: [],
    addPath: [],
    restart: null,
    longLived: null,
    fourOctetAs: null,
    raw,
  };
}

function interpretOne(code: number, value: Uint8Array, into: Capabilities): BgpError | null {
  switch (code) {
    case CapabilityCode.routeRefresh:
      into.routeRefresh = true;
      return null;
    case CapabilityCode.enhancedRefresh:
      into.enhancedRefresh = true;
      return null;
    case CapabilityCode.extendedMessage:
      into.extendedMessage = true;
      return null;
    case CapabilityCode.extendedNextHop:
      into.extendedNextHop = readExtendedNextHop(value);
      return null;
    case CapabilityCode.addPath:
      into.addPath = readAddPath(value);
      return null;
    case CapabilityCode.gracefulRestart:
      into.restart = readRestart(value);
      return null;
    case CapabilityCode.longLivedRestart:
      into.longLived = readLongLived(value);
      return null;
    case CapabilityCode.fourOctetAs:
      if (value.length !== 4) {
        return bgpError(
          OpenError.unspecific,
          `the four-octet AS capability has ${value.length} octets, not 4`,
        );
      }
      into.fourOctetAs = readU32(value, 0);
      return null;
    default:
      return null;
  }
}

/** What a speaker may advertise besides its families and its AS number. */
export interface CapabilityOptions {
  extendedMessage?: boolean;
  extendedNextHop?: boolean;
  addPath?: readonly AddPathOffer[];
  restart?: RestartOffer | null;
  longLived?: readonly LongLivedOffer[];
}

/** The capabilities of our OPEN, in ascending order of code. */
export function ownCapabilities(
  families: readonly Family[],
  as: number,
  options: CapabilityOptions = {},
): RawCapability[] {
  const { multiprotocol, routeRefresh, enhancedRefresh, fourOctetAs } = CapabilityCode;
  const none = new Uint8Array(0);
  const list: RawCapability[] = [
    ...families.map((family) => ({ code: multiprotocol, value: multiprotocolValue(family) })),
    { code: routeRefresh, value: none },
    { code: fourOctetAs, value: fourOctetAsValue(as) },
    { code: enhancedRefresh, value: none },
  ];
  const add = (code: number, value: Uint8Array) => list.push({ code, value });
  if (options.extendedMessage) add(CapabilityCode.extendedMessage, none);
  if (options.extendedNextHop) add(CapabilityCode.extendedNextHop, extendedNextHopValue());
  if (options.addPath && options.addPath.length > 0)
    add(CapabilityCode.addPath, addPathValue(options.addPath));
  if (options.restart) add(CapabilityCode.gracefulRestart, restartValue(options.restart));
  if (options.longLived && options.longLived.length > 0) {
    add(CapabilityCode.longLivedRestart, longLivedValue(options.longLived));
  }
  return list.sort((a, b) => a.code - b.code);
}

/** The names of the capabilities of an OPEN, for views; families by their names. */
export function capabilityNames(raw: readonly RawCapability[]): string[] {
  const names = raw.map(({ code, value }) => {
    const name = NAMES[code] ?? `capability ${code}`;
    if (code !== CapabilityCode.multiprotocol || value.length !== 4) return name;
    const afi = (value[0] << 8) | value[1];
    return familyOf(afi, value[3])?.name ?? `AFI ${afi} SAFI ${value[3]}`;
  });
  return [...new Set(names)];
}

// --- values ------------------------------------------------------------------------------------------------------------

/** Multiprotocol (RFC 4760 §8). */
export function multiprotocolValue({ afi, safi }: Family): Uint8Array {
  return Uint8Array.of(afi >>> 8, afi, 0, safi);
}

/** Four-octet AS number (RFC 6793 §3). */
export function fourOctetAsValue(as: number): Uint8Array {
  return Uint8Array.of(as >>> 24, as >>> 16, as >>> 8, as);
}

/** Extended next hop (RFC 8950 §4): IPv4 unicast with next hops of AFI 2. */
export function extendedNextHopValue(): Uint8Array {
  return Uint8Array.of(0, 1, 0, 1, 0, 2);
}

/** Families whose routes may have IPv6 next hops; other pairs are ignored. */
function readExtendedNextHop(value: Uint8Array): Family[] {
  const families: Family[] = [];
  for (let at = 0; at + 6 <= value.length; at += 6) {
    const family = familyOf(readU16(value, at), readU16(value, at + 2));
    if (family === IPV4_UNICAST && readU16(value, at + 4) === 2) families.push(family);
  }
  return families;
}

/** ADD-PATH (RFC 7911 §4): whether a speaker can receive and send several paths in a family. */
export interface AddPathOffer {
  family: Family;
  receive: boolean;
  send: boolean;
}

/** The value of the capability. */
export function addPathValue(offers: readonly AddPathOffer[]): Uint8Array {
  return concat(
    offers.map(({ family: { afi, safi }, receive, send }) =>
      Uint8Array.of(afi >>> 8, afi, safi, (receive ? 1 : 0) | (send ? 2 : 0)),
    ),
  );
}

/** Modes other than 1–3 and values of a wrong length are ignored (RFC 7911 §4). */
function readAddPath(value: Uint8Array): AddPathOffer[] {
  const offers: AddPathOffer[] = [];
  if (value.length % 4 !== 0) return offers;
  for (let at = 0; at < value.length; at += 4) {
    const family = familyOf(readU16(value, at), value[at + 2]);
    const mode = value[at + 3];
    if (family && mode >= 1 && mode <= 3) {
      offers.push({ family, receive: (mode & 1) !== 0, send: (mode & 2) !== 0 });
    }
  }
  return offers;
}

/** Graceful restart (RFC 4724 §3, RFC 8538 §2). */
export interface RestartOffer {
  /** The speaker has restarted: its peer need not wait for its End-of-RIB. */
  restarting: boolean;
  /** It retains routes also when a NOTIFICATION ends the session. */
  notification: boolean;
  /** Restart time in seconds, at most 4095. */
  seconds: number;
  /** Families, and whether forwarding went on during the restart. */
  families: { family: Family; forwarding: boolean }[];
}

/** The value of the capability. */
export function restartValue(offer: RestartOffer): Uint8Array {
  const head = new Uint8Array(2);
  const flags = (offer.restarting ? 0x8000 : 0) | (offer.notification ? 0x4000 : 0);
  writeU16(head, 0, flags | Math.min(4095, offer.seconds));
  const families = offer.families.map(({ family: { afi, safi }, forwarding }) =>
    Uint8Array.of(afi >>> 8, afi, safi, forwarding ? 0x80 : 0),
  );
  return concat([head, ...families]);
}

/** Null for a value of a wrong length: the capability is ignored. */
function readRestart(value: Uint8Array): RestartOffer | null {
  if (value.length < 2 || (value.length - 2) % 4 !== 0) return null;
  const head = readU16(value, 0);
  const families: RestartOffer['families'] = [];
  for (let at = 2; at < value.length; at += 4) {
    const family = familyOf(readU16(value, at), value[at + 2]);
    if (family) families.push({ family, forwarding: (value[at + 3] & 0x80) !== 0 });
  }
  const restarting = (head & 0x8000) !== 0;
  return { restarting, notification: (head & 0x4000) !== 0, seconds: head & 0x0fff, families };
}

/** Long-lived graceful restart (RFC 9494 §3.1). */
export interface LongLivedOffer {
  family: Family;
  forwarding: boolean;
  /** Seconds for which stale routes are retained after the restart time. */
  seconds: number;
}

/** The value of the capability. */
export function longLivedValue(offers: readonly LongLivedOffer[]): Uint8Array {
  return concat(
    offers.map(({ family: { afi, safi }, forwarding, seconds }) =>
      Uint8Array.of(afi >>> 8, afi, safi, forwarding ? 0x80 : 0, seconds >>> 16, seconds >>> 8, seconds),
    ),
  );
}

/** Empty for a value of a wrong length: its families are ignored. */
function readLongLived(value: Uint8Array): LongLivedOffer[] {
  const offers: LongLivedOffer[] = [];
  if (value.length % 7 !== 0) return offers;
  for (let at = 0; at < value.length; at += 7) {
    const family = familyOf(readU16(value, at), value[at + 2]);
    const seconds = (value[at + 4] << 16) | (value[at + 5] << 8) | value[at + 6];
    if (family) offers.push({ family, forwarding: (value[at + 3] & 0x80) !== 0, seconds });
  }
  return offers;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
