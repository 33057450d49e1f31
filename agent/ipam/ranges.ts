/** IPv4 addresses as unsigned 32-bit numbers, and the ranges from which pods get theirs. */

/** A range of addresses: `first` and the `size` that follow it, a power of two. */
export interface Range {
  cidr: string;
  first: number;
  size: number;
}

/** Ranges larger than this are a mistake; it also bounds the allocator's memory (2 MiB for a /8). */
const PREFIX_LENGTH_MIN = 8;

/** Parses dotted decimal as RFC 6943 section 3.1.1 wants it: four numbers, no leading zeros. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** Formats an address in dotted decimal. */
export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** Parses ADDRESS/LENGTH. Throws an Error that says what is wrong with it. */
export function parseRange(cidr: string): Range {
  const [text, length, ...rest] = cidr.split('/');
  const first = parseAddress(text);
  if (
    first === undefined ||
    rest.length > 0 ||
    !/^(0|[1-9][0-9]?)$/.test(length ?? '') ||
    Number(length) > 32
  ) {
    throw new Error(`podCIDRs: "${cidr}" is not an IPv4 range such as 10.244.1.0/26`);
  }
  if (Number(length) < PREFIX_LENGTH_MIN) {
    throw new Error(
      `podCIDRs: ${cidr} is larger than a /${PREFIX_LENGTH_MIN}, which cannot be one node's range`,
    );
  }
  const size = 2 ** (32 - Number(length));
  if (first % size !== 0) {
    const start = formatAddress(first - (first % size));
    throw new Error(`podCIDRs: ${cidr} has bits set after its length; did you mean ${start}/${length}?`);
  }
  return { cidr, first, size };
}

/** Parses all of a node's ranges. Throws where one is wrong or two have addresses in common. */
export function parseRanges(cidrs: readonly string[]): Range[] {
  const ranges = cidrs.map(parseRange);
  // By their ends, as two texts can differ and still overlap.
  const sorted = ranges.toSorted((a, b) => a.first - b.first);
  for (let i = 1; i < sorted.length; i++) {
    const before = sorted[i - 1];
    if (before.first + before.size > sorted[i].first) {
      throw new Error(
        `podCIDRs: ${before.cidr} and ${sorted[i].cidr} overlap; no address may be in two ranges`,
      );
    }
  }
  return ranges;
}

/** Whether the address is in the range. */
export function contains(range: Range, address: number): boolean {
  return address >= range.first && address < range.first + range.size;
}
