/** Searches prefixes by text without creating strings: those of a million IPv4 prefixes are 140 MB of garbage. */

import type { FamilyRib } from '../rib/family-rib.ts';
import type { PrefixId } from '../rib/store/ids.ts';
import { nlriLength } from '../wire/nlri.ts';

/** Octets of the longest NLRI of an IPv4 prefix, and characters of the longest text of one. */
const LONGEST_NLRI = 5;
const LONGEST_TEXT = '255.255.255.255/32'.length;
const [ZERO, DOT, SLASH] = [0x30, 0x2e, 0x2f];

/** Finds prefixes whose text contains a part in lower case. */
export class PrefixSearch {
  private readonly part: string;
  /** The part's characters; null: no IPv4 prefix can contain it. */
  private readonly wanted: Uint8Array | null;
  private readonly nlri = new Uint8Array(LONGEST_NLRI);
  private readonly text = new Uint8Array(LONGEST_TEXT);
  private length = 0;

  constructor(part: string) {
    this.part = part;
    const possible = /^[0-9./]*$/.test(part) && part.length <= LONGEST_TEXT;
    this.wanted = possible ? Uint8Array.from(part, (character) => character.charCodeAt(0)) : null;
  }

  /** Whether the text of a prefix of `rib` contains the part. */
  matches(rib: FamilyRib, prefix: PrefixId): boolean {
    if (rib.family.bits !== 32) return rib.format(prefix).includes(this.part);
    if (this.wanted === null) return false;
    rib.prefixes.write(prefix, this.nlri, 0);
    this.writeIPv4();
    return this.has(this.wanted);
  }

  /** Writes the text of the NLRI, as `FamilyRib.format` returns it. */
  private writeIPv4(): void {
    const { nlri, text } = this;
    const end = nlriLength(nlri[0]);
    this.length = 0;
    for (let i = 1; i <= 4; i++) {
      this.writeNumber(i < end ? nlri[i] : 0);
      text[this.length++] = i < 4 ? DOT : SLASH;
    }
    this.writeNumber(nlri[0]);
  }

  private writeNumber(value: number): void {
    const { text } = this;
    if (value >= 100) text[this.length++] = ZERO + Math.floor(value / 100);
    if (value >= 10) text[this.length++] = ZERO + (Math.floor(value / 10) % 10);
    text[this.length++] = ZERO + (value % 10);
  }

  private has(wanted: Uint8Array): boolean {
    const { text } = this;
    for (let from = 0; from + wanted.length <= this.length; from++) {
      let i = 0;
      while (i < wanted.length && text[from + i] === wanted[i]) i++;
      if (i === wanted.length) return true;
    }
    return false;
  }
}
