/** Prefix lists: prefixes with bounds on the length of more specific ones, as a binary trie for each address family. */
import { parseInterfaceAddress, parsePrefix } from '../../ip/index.ts';
import { type Family, IPV4_UNICAST, IPV6_UNICAST } from '../../wire/families.ts';

interface Node {
  /** The nodes below, by the next bit. */
  below: [Node | null, Node | null];
  /** The lengths, from and to, that the entries which end at this node match. */
  ranges: [number, number][];
}

const empty = (): Node => ({ below: [null, null], ranges: [] });

/** A compiled prefix list. */
export class PrefixList {
  private readonly roots = new Map<number, Node>();

  /**
   * Adds `PREFIX [ge BITS] [le BITS]`: `ge` alone matches up to the longest prefix, `le` alone from the prefix's own
   * length on. Throws SyntaxError that says what is wrong.
   */
  add(entry: string): void {
    const [text, ...words] = entry.trim().split(/\s+/);
    const { family, nlri } = parsed(text);
    const length = nlri[0];
    const bounds = new Map<string, number>();
    for (let i = 0; i < words.length; i += 2) {
      const [word, number] = [words[i], words[i + 1]];
      if ((word !== 'ge' && word !== 'le') || bounds.has(word)) {
        throw new SyntaxError(`"${word}" is not expected here; write PREFIX, or PREFIX ge BITS le BITS`);
      }
      const bits = /^\d{1,3}$/.test(number ?? '') ? Number(number) : -1;
      if (bits < length || bits > family.bits) {
        throw new SyntaxError(`"${word}" needs a number from ${length} to ${family.bits}`);
      }
      bounds.set(word, bits);
    }
    const ge = bounds.get('ge') ?? length;
    const le = bounds.get('le') ?? (bounds.has('ge') ? family.bits : length);
    if (ge > le) throw new SyntaxError(`ge ${ge} is greater than le ${le}, so that nothing can match`);
    this.insert(family.bits, nlri, ge, le);
  }

  /** Adds a prefix with all more specific ones. */
  addWithin(text: string): void {
    const { family, nlri } = parsed(text);
    this.insert(family.bits, nlri, nlri[0], family.bits);
  }

  private insert(bits: number, nlri: Uint8Array, ge: number, le: number): void {
    let node = this.roots.get(bits) ?? empty();
    this.roots.set(bits, node);
    for (let bit = 0; bit < nlri[0]; bit++) {
      const side = bitOf(nlri, 1, bit);
      node.below[side] ??= empty();
      node = node.below[side];
    }
    node.ranges.push([ge, le]);
  }

  /** Whether the prefix whose NLRI is at `at`, of a family with addresses of `bits`, is in the list. */
  has(bits: number, bytes: Uint8Array, at: number): boolean {
    const length = bytes[at];
    let node: Node | null = this.roots.get(bits) ?? null;
    for (let bit = 0; node; bit++) {
      for (const [ge, le] of node.ranges) if (length >= ge && length <= le) return true;
      if (bit === length) return false;
      node = node.below[bitOf(bytes, at + 1, bit)];
    }
    return false;
  }
}

function bitOf(bytes: Uint8Array, at: number, bit: number): 0 | 1 {
  return ((bytes[at + (bit >> 3)] >> (7 - (bit & 7))) & 1) as 0 | 1;
}

function parsed(text: string): { family: Family; nlri: Uint8Array } {
  const prefix = parsePrefix(text);
  if (!prefix) throw new SyntaxError(`"${text}" is not a prefix; write ADDRESS/LENGTH`);
  const { version } = prefix;
  const written = parseInterfaceAddress(text)?.address;
  if (version === 4 && written && !written.sameBits(prefix.address)) {
    throw new SyntaxError(`"${text}" has bits set beyond its length; write ${prefix}`);
  }
  return { family: version === 4 ? IPV4_UNICAST : IPV6_UNICAST, nlri: prefix.toNlri() };
}
