import { Cursor, writeU16, writeU32 } from './cursor.ts';
import { type BgpError, bgpError } from './error.ts';
import { type Family, familyOf, IPV4_UNICAST } from './families.ts';

/** Capability codes (IANA, Capability Codes). */
export const CapabilityCode = { multiprotocol: 1, routeRefresh: 2, fourOctetAs: 65 } as const;

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
  const result: Capabilities = { families: [], routeRefresh: false, fourOctetAs: null, raw };
  let named = false;
  for (const { code, value } of raw) {
    if (code === CapabilityCode.multiprotocol && value.length === 4) {
      named = true;
      const family = familyOf((value[0] << 8) | value[1], value[3]);
      if (family && !result.families.includes(family)) result.families.push(family);
    } else if (code === CapabilityCode.routeRefresh) {
      result.routeRefresh = true;
    } else if (code === CapabilityCode.fourOctetAs && result.fourOctetAs === null) {
      if (value.length !== 4) {
        return bgpError(2, 0, `the four-octet AS capability has ${value.length} octets, not 4`);
      }
      result.fourOctetAs = ((value[0] << 24) | (value[1] << 16) | (value[2] << 8) | value[3]) >>> 0;
    }
  }
  if (!named) result.families.push(IPV4_UNICAST);
  return result;
}

/** What this speaker says of itself. */
export function ownCapabilities(families: readonly Family[], as: number): RawCapability[] {
  const multiprotocol = families.map(({ afi, safi }) => {
    const value = new Uint8Array(4);
    writeU16(value, 0, afi);
    value[3] = safi;
    return { code: CapabilityCode.multiprotocol, value };
  });
  const asValue = new Uint8Array(4);
  writeU32(asValue, 0, as);
  return [
    ...multiprotocol,
    { code: CapabilityCode.routeRefresh, value: new Uint8Array(0) },
    { code: CapabilityCode.fourOctetAs, value: asValue },
  ];
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
