import {
  type AddPathOffer,
  addPathValue,
  extendedNextHopValue,
  fourOctetAsValue,
  type LongLivedOffer,
  longLivedValue,
  multiprotocolValue,
  type RestartOffer,
  readAddPath,
  readExtendedNextHop,
  readLongLived,
  readRestart,
  restartValue,
} from './capability-values.ts';
import { Cursor, readU32 } from './cursor.ts';
import { type BgpError, bgpError } from './error.ts';
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

/** One capability as it stands in an OPEN (RFC 5492 §4). */
export interface RawCapability {
  code: number;
  value: Uint8Array;
}

/** What a speaker said of itself in its OPEN, as far as this library understands it. */
export interface Capabilities {
  /** Families that this library knows (RFC 4760 §8); a peer that names none at all means IPv4 unicast (RFC 4271). */
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
  /** RFC 4724; null from a speaker that does not know it. */
  restart: RestartOffer | null;
  /** RFC 9494; empty from a speaker that keeps no routes itself and knows what LLGR_STALE means, null from any other. */
  longLived: LongLivedOffer[] | null;
  /** The AS number of RFC 6793, or null from a speaker that knows only two octets. */
  fourOctetAs: number | null;
  /** All of them, unknown ones included, in the order in which they came. */
  raw: RawCapability[];
}

const overrun = (): BgpError => bgpError(2, 0, 'a capability runs past its optional parameter');

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
 * The meaning of a list of capabilities; or the error of one that is malformed. A family is listed once and only
 * when this library knows it; of a capability that comes twice, the first counts.
 */
export function interpretCapabilities(raw: RawCapability[]): Capabilities | BgpError {
  const result = nothingSaid(raw);
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

function nothingSaid(raw: RawCapability[]): Capabilities {
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
        return bgpError(2, 0, `the four-octet AS capability has ${value.length} octets, not 4`);
      }
      into.fourOctetAs = readU32(value, 0);
      return null;
    default:
      return null;
  }
}

/** What a speaker may say of itself beyond its families and its AS number. */
export interface CapabilityOptions {
  extendedMessage?: boolean;
  extendedNextHop?: boolean;
  addPath?: readonly AddPathOffer[];
  restart?: RestartOffer | null;
  longLived?: readonly LongLivedOffer[];
}

/** What this speaker says of itself. */
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

/** The names of the capabilities of an OPEN, for people. */
export function capabilityNames(raw: readonly RawCapability[]): string[] {
  const names = raw.map(({ code, value }) => {
    const name = NAMES[code] ?? `capability ${code}`;
    if (code !== CapabilityCode.multiprotocol || value.length !== 4) return name;
    const afi = (value[0] << 8) | value[1];
    return familyOf(afi, value[3])?.name ?? `AFI ${afi} SAFI ${value[3]}`;
  });
  return [...new Set(names)];
}
