/**
 * What to do about a defect in an UPDATE (RFC 7606 §2), from the mildest to the strongest: drop the attribute, treat
 * the message's routes as withdrawn, or reset the session with a NOTIFICATION.
 */
export type Handling = 'discard' | 'treat-as-withdraw' | 'reset';

/** A defect found in what a peer sent: the NOTIFICATION that names it, and how RFC 7606 wants it handled. */
export interface BgpError {
  code: number;
  subcode: number;
  /** The NOTIFICATION's data field. */
  data: Uint8Array;
  /** What was wrong, in words. */
  text: string;
  handling: Handling;
  /** Every malformed attribute of the UPDATE, of which this is the strongest defect. */
  attributes?: readonly MalformedAttribute[];
}

/** A malformed attribute, and what RFC 7606 §7 wants done about it. */
export interface MalformedAttribute {
  /** The attribute's type code; 0: where the next one should begin. */
  type: number;
  handling: Handling;
}

const NO_DATA = new Uint8Array(0);

/** Builds a {@link BgpError}; by default without data, and resetting the session. */
export function bgpError(
  code: number,
  subcode: number,
  text: string,
  data: Uint8Array = NO_DATA,
  handling: Handling = 'reset',
): BgpError {
  return { code, subcode, data, text, handling };
}

/** At most `limit` octets of `bytes` in hexadecimal, for logs. */
export function hexExcerpt(bytes: Uint8Array, limit = 32): string {
  const exported = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, limit)).toString('hex');
  return bytes.length > limit ? `${exported}… (${bytes.length} octets)` : exported;
}
