/** IPv4 addresses and ranges as configuration files and requests write them. Addresses are unsigned 32-bit numbers. */

/** A range of addresses: its first address as written (host bits may be set) and its prefix length. */
export interface Cidr {
  address: number;
  length: number;
}

const OCTETS = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** Reads "10.0.0.1"; undefined when the text is anything else. Leading zeros are refused: some read them as octal. */
export function parseIPv4(text: string): number | undefined {
  const match = OCTETS.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith('0'))) return undefined;
    address = address * 256 + Number(octet);
  }
  return address;
}

/** Writes an address as "10.0.0.1". */
export function formatIPv4(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** Reads "10.0.0.0/24"; undefined when the text is anything else. Host bits are kept: see `networkOf`. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(\d{1,2})$/.exec(text);
  const address = match === null ? undefined : parseIPv4(match[1]);
  if (match === null || address === undefined) return undefined;
  const length = Number(match[2]);
  return length > 32 ? undefined : { address, length };
}

/** Writes a range as "10.0.0.0/24". */
export function formatCidr(cidr: Cidr): string {
  return `${formatIPv4(cidr.address)}/${cidr.length}`;
}

/** The range with its host bits cleared. */
export function networkOf(cidr: Cidr): Cidr {
  // A shift by 32 is a shift by 0 in JavaScript, hence the case of its own.
  const mask = cidr.length === 0 ? 0 : (0xffffffff << (32 - cidr.length)) >>> 0;
  return { address: (cidr.address & mask) >>> 0, length: cidr.length };
}

/** Whether the range holds the address. */
export function contains(cidr: Cidr, address: number): boolean {
  return networkOf({ address, length: cidr.length }).address === networkOf(cidr).address;
}

/** Whether two ranges share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.length <= b.length ? contains(a, b.address) : contains(b, a.address);
}
