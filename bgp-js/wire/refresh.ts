import { DecodeFailure, readU16, writeU16 } from './cursor.ts';
import { bgpError, RouteRefreshError } from './error.ts';
import { HEADER_LENGTH, MessageType, writeHeader } from './frame.ts';

/** A ROUTE-REFRESH (RFC 2918 §3); the subtype is RFC 7313's, 0 for an ordinary request. */
export interface RouteRefresh {
  afi: number;
  subtype: number;
  safi: number;
}

export function encodeRouteRefresh(message: RouteRefresh): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + 4);
  writeHeader(bytes, 0, bytes.length, MessageType.routeRefresh);
  writeU16(bytes, 19, message.afi);
  bytes[21] = message.subtype;
  bytes[22] = message.safi;
  return bytes;
}

/** Decodes the body; one that is not 4 octets long is error 7/1 (RFC 7313 §5). Throws DecodeFailure. */
export function decodeRouteRefresh(bytes: Uint8Array, start: number, end: number): RouteRefresh {
  if (end - start < 4) {
    const data = bytes.slice(start - HEADER_LENGTH, end);
    throw new DecodeFailure(
      bgpError(RouteRefreshError.invalidMessageLength, `a ROUTE-REFRESH of ${end - start + 19} octets`, data),
    );
  }
  // Octets behind the fourth are an ORF (RFC 5291), which is not negotiated and therefore ignored.
  return { afi: readU16(bytes, start), subtype: bytes[start + 2], safi: bytes[start + 3] };
}

/** The begin (1) or the end (2) of an enhanced route refresh (RFC 7313 §3.2). */
export function refreshMarker(family: { afi: number; safi: number }, subtype: 1 | 2): Uint8Array {
  return encodeRouteRefresh({ afi: family.afi, subtype, safi: family.safi });
}
