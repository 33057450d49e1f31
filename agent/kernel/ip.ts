/** IPv4 addresses, prefixes and MAC addresses between text and the kernel's bytes. */

/** `a.b.c.d` at `offset`, which must have four bytes behind it. */
export function formatAddress(buffer: Buffer, offset: number): string {
  return `${buffer[offset]}.${buffer[offset + 1]}.${buffer[offset + 2]}.${buffer[offset + 3]}`;
}

/** The four bytes of a dotted address, in network order. Throws TypeError when it is none. */
export function parseAddress(text: string): Buffer {
  const parts = text.split('.');
  const bytes = Buffer.allocUnsafe(4);
  let valid = parts.length === 4;
  for (let i = 0; valid && i < 4; i++) {
    const value = Number(parts[i]);
    valid = /^(0|[1-9]\d{0,2})$/.test(parts[i]) && value <= 255;
    bytes[i] = value;
  }
  if (!valid) throw new TypeError(`"${text}" is not an IPv4 address (a.b.c.d)`);
  return bytes;
}

/** An address as a number of 32 bits. */
export function addressNumber(text: string): number {
  return parseAddress(text).readUInt32BE(0);
}

/** Writes the address of `prefix` at `offset` and returns its length. Throws TypeError unless it is canonical. */
export function writePrefix(prefix: string, buffer: Buffer, offset: number): number {
  // By hand: this runs once for every route, and splitting strings is most of the cost otherwise.
  let octet = 0;
  let digits = 0;
  let index = 0;
  let at = 0;
  for (; at < prefix.length && index < 4; at++) {
    const code = prefix.charCodeAt(at);
    if (code >= 48 && code <= 57 && digits < 3 && !(digits > 0 && octet === 0)) {
      octet = octet * 10 + code - 48;
      digits++;
    } else if (code === (index < 3 ? 46 : 47) && digits > 0 && octet <= 255) {
      buffer[offset + index++] = octet;
      octet = 0;
      digits = 0;
    } else break;
  }
  const rest = prefix.slice(at);
  const length = Number(rest);
  if (index !== 4 || !/^(0|[1-9]\d?)$/.test(rest) || length > 32) {
    throw new TypeError(`"${prefix}" is not an IPv4 prefix (a.b.c.d/length)`);
  }
  const hostBits = length === 32 ? 0 : (buffer.readUInt32BE(offset) & (0xffffffff >>> length)) >>> 0;
  if (hostBits !== 0) throw new TypeError(`"${prefix}" has bits set behind its length`);
  return length;
}

/** Whether `prefix` covers `address`; both must be valid. */
export function prefixCovers(prefix: string, address: string): boolean {
  const bytes = Buffer.allocUnsafe(4);
  const length = writePrefix(prefix, bytes, 0);
  if (length === 0) return true;
  return ((bytes.readUInt32BE(0) ^ addressNumber(address)) >>> (32 - length)) >>> 0 === 0;
}

/** `aa:bb:cc:dd:ee:ff`. */
export function formatMac(buffer: Buffer, from: number, to: number): string {
  return (buffer.toString('hex', from, to).match(/../g) ?? []).join(':');
}

/** The six bytes of a MAC address. Throws TypeError when it is none. */
export function parseMac(text: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new TypeError(`"${text}" is not a MAC address`);
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}
