/** Values of capabilities that list address families: each between octets and plain data. */
import { readU16, writeU16 } from './cursor.ts';
import { type Family, familyOf, IPV4_UNICAST } from './families.ts';

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

/** Families whose routes may have IPv6 next hops. */
export function readExtendedNextHop(value: Uint8Array): Family[] {
  const families: Family[] = [];
  for (let at = 0; at + 6 <= value.length; at += 6) {
    const family = familyOf(readU16(value, at), readU16(value, at + 2));
    if (family === IPV4_UNICAST && readU16(value, at + 4) === 2) families.push(family);
  }
  return families;
}

/** ADD-PATH (RFC 7911 §4): what a speaker can do in a family. */
export interface AddPathOffer {
  family: Family;
  receive: boolean;
  send: boolean;
}

export function addPathValue(offers: readonly AddPathOffer[]): Uint8Array {
  return concat(
    offers.map(({ family: { afi, safi }, receive, send }) =>
      Uint8Array.of(afi >>> 8, afi, safi, (receive ? 1 : 0) | (send ? 2 : 0)),
    ),
  );
}

/** A mode other than 1–3 is ignored, and so is a value of a wrong length (RFC 7911 §4). */
export function readAddPath(value: Uint8Array): AddPathOffer[] {
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
  /** The speaker has restarted: it need not be waited for. */
  restarting: boolean;
  /** It keeps routes also when a NOTIFICATION ends the session. */
  notification: boolean;
  /** Seconds within which it means to be back; at most 4095. */
  seconds: number;
  /** Families, and whether packets were forwarded all the while. */
  families: { family: Family; forwarding: boolean }[];
}

export function restartValue(offer: RestartOffer): Uint8Array {
  const head = new Uint8Array(2);
  const flags = (offer.restarting ? 0x8000 : 0) | (offer.notification ? 0x4000 : 0);
  writeU16(head, 0, flags | Math.min(4095, offer.seconds));
  const families = offer.families.map(({ family: { afi, safi }, forwarding }) =>
    Uint8Array.of(afi >>> 8, afi, safi, forwarding ? 0x80 : 0),
  );
  return concat([head, ...families]);
}

/** Null for a value of a wrong length, which is ignored. */
export function readRestart(value: Uint8Array): RestartOffer | null {
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
  /** Seconds for which stale routes are kept after the restart time. */
  seconds: number;
}

export function longLivedValue(offers: readonly LongLivedOffer[]): Uint8Array {
  return concat(
    offers.map(({ family: { afi, safi }, forwarding, seconds }) =>
      Uint8Array.of(afi >>> 8, afi, safi, forwarding ? 0x80 : 0, seconds >>> 16, seconds >>> 8, seconds),
    ),
  );
}

/** A value of a wrong length is ignored. */
export function readLongLived(value: Uint8Array): LongLivedOffer[] {
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
