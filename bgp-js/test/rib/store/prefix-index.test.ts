import assert from 'node:assert/strict';
import { seededRandom } from 'bgp-js-testing/simulator/random.ts';
import { PrefixIndex } from '../../../rib/store/prefix-table.ts';
import { HASH_KEY } from '../helpers.ts';

/** An address of `words` words whose first `length` bits end with the bits of `value`. */
function addressOf(words: number, length: number, value: number): Uint32Array {
  const address = new Uint32Array(words);
  for (let bit = 0; bit < Math.min(length, 20); bit++) {
    const at = length - 1 - bit;
    if ((value >>> bit) & 1) address[at >>> 5] |= 1 << (31 - (at & 31));
  }
  return address;
}

describe('PrefixIndex', () => {
  for (const words of [1, 4]) {
    it(`agrees with a Map over long runs of additions and removals (${32 * words} bits)`, () => {
      const index = new PrefixIndex(words, HASH_KEY);
      const model = new Map<string, number>();
      const random = seededRandom(words);
      const pick = (below: number): number => Math.floor(random() * below);
      for (let round = 1; round <= 60_000; round++) {
        // Few lengths and values, so that blocks fill and empty; lengths at both ends of a word.
        const length = Math.min([0, 1, 2, 3, 24, 31, 32, 33, 34, 35, 64, 65, 127, 128][pick(14)], 32 * words);
        const address = addressOf(words, length, pick(1 << Math.min(length, 9)));
        const key = `${address.join('.')}/${length}`;
        const place = index.find(address, length);
        assert.equal(place === 0 ? 0 : index.places.values[place], model.get(key) ?? 0, key);
        if (!model.has(key)) {
          index.fill(index.place(address, length), round);
          model.set(key, round);
        } else if (pick(2) === 0) {
          index.clear(place);
          model.delete(key);
        }
      }
      const used = Array.from(index.places.values).filter((value) => value !== 0);
      assert.deepEqual(used.sort(), [...model.values()].sort());
    });
  }

  it('reuses the places of removed prefixes', () => {
    const index = new PrefixIndex(1, HASH_KEY);
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 1000; i++) index.fill(index.place(Uint32Array.of(i << 8), 24), i + 1);
      for (let i = 0; i < 1000; i++) index.clear(index.find(Uint32Array.of(i << 8), 24));
    }
    assert.ok(index.places.values.length <= 2048);
  });
});
