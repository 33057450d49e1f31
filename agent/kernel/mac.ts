/** MAC addresses: text in the program, six octets in the kernel's messages. */

/** The octets as `aa:bb:cc:dd:ee:ff`; empty for no octets, as of an interface without a link-layer address. */
export function formatMac(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join(':');
}

/** The six octets of a MAC address. @throws TypeError when the text is not one */
export function parseMac(text: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new TypeError(`"${text}" is not a MAC address`);
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}
