import { seededRandom } from '../simulator/random.ts';

/** Seeded choices. */
export class Dice {
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** An integer in [0, end). */
  below(end: number): number {
    return Math.floor(this.random() * end);
  }

  /** True with probability `share`. */
  chance(share: number): boolean {
    return this.random() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  octets(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }
}
