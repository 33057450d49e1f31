/** ROUTE-REFRESH messages (RFC 2918, RFC 7313). */
import { DecodeFailure, readU16, writeU16 } from './cursor.ts';
import { bgpError, RouteRefreshError } from './error.ts';
import { HEADER_LENGTH, MessageType, writeHeader } from './frame.ts';

/** A ROUTE-REFRESH (RFC 2918 §3). */
export interface RouteRefresh {
  afi: number;
  /** 0: a request, 1 and 2: begin and end of a refresh (RFC 7313 §3.2). */
  subtype: number;
  safi: number;
}

/** Encodes a ROUTE-REFRESH. */
export function encodeRouteRefresh(message: RouteRefresh): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + 4);
  writeHeader(bytes, 0, bytes.length, MessageType.routeRefresh);
  writeU16(bytes, 19, message.afi);
  bytes[21] = message.subtype;
  bytes[22] = message.safi;
  return bytes;
}

/** Decodes the body. Throws DecodeFailure for one shorter than 4 octets (Invalid Message Length, RFC 7313 §5). */
export function decodeRouteRefresh(bytes: Uint8Array, start: number, end: number): RouteRefresh {
  if (end - start < 4) {
    const data = bytes.slice(start - HEADER_LENGTH, end);
    throw new DecodeFailure(
      bgpError(RouteRefreshError.invalidMessageLength, `a ROUTE-REFRESH of ${end - start + 19} octets`, data),
    );
  }
  // Further octets are an ORF (RFC 5291), which is never negotiated.
  return { afi: readU16(bytes, start), subtype: bytes[start + 2], safi: bytes[start + 3] };
}

/** The message that begins (1) or ends (2) an enhanced route refresh (RFC 7313 §3.2). */
export function refreshMarker(family: { afi: number; safi: number }, subtype: 1 | 2): Uint8Array {
  return encodeRouteRefresh({ afi: family.afi, subtype, safi: family.safi });
}
