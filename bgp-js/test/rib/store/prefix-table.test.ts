import assert from 'node:assert/strict';
import fc from 'fast-check';
import { NO_PREFIX, type PrefixId } from '../../../rib/store/ids.ts';
import { PrefixIndex, PrefixTable } from '../../../rib/store/prefix-table.ts';
import { IPV4_UNICAST } from '../../../wire/families.ts';
import { HASH_KEY, nlri } from '../helpers.ts';

function text(table: PrefixTable, id: PrefixId): string {
  const bytes = new Uint8Array(5);
  table.write(id, bytes, 0);
  return IPV4_UNICAST.format(bytes, 0);
}

describe('PrefixTable', () => {
  it('gives a prefix one number, whatever its host bits', () => {
    const table = new PrefixTable(32, HASH_KEY);
    const a = table.intern(Uint8Array.of(24, 10, 1, 2), 0);
    assert.equal(table.intern(Uint8Array.of(0, 24, 10, 1, 2), 1), a);
    assert.equal(table.intern(Uint8Array.of(23, 10, 1, 3), 0), table.intern(Uint8Array.of(23, 10, 1, 2), 0));
    assert.notEqual(table.intern(Uint8Array.of(25, 10, 1, 2, 0), 0), a);
    assert.equal(table.end, 3);
    assert.equal(text(table, a), '10.1.2.0/24');
  });

  it('does not read beyond the NLRI', () => {
    const table = new PrefixTable(32, HASH_KEY);
    const a = table.intern(Uint8Array.of(8, 10), 0);
    assert.equal(table.find(Uint8Array.of(8, 10, 99, 99, 99), 0), a);
    assert.equal(table.find(Uint8Array.of(0), 0), NO_PREFIX);
    const zero = table.intern(Uint8Array.of(0), 0);
    assert.equal(text(table, zero), '0.0.0.0/0');
  });

  it('writes what it read', () => {
    const table = new PrefixTable(32, HASH_KEY);
    const property = fc.property(fc.integer({ min: 0, max: 32 }), fc.nat(0xffffffff), (length, address) => {
      const octets = (length + 7) >> 3;
      const bytes = new Uint8Array(1 + octets);
      bytes[0] = length;
      const masked = length === 0 ? 0 : (address & (0xffffffff << (32 - length))) >>> 0;
      for (let i = 0; i < octets; i++) bytes[1 + i] = masked >>> (24 - 8 * i);
      const out = new Uint8Array(8);
      const end = table.write(table.intern(bytes, 0), out, 2);
      assert.deepEqual(out.slice(2, end), bytes);
    });
    fc.assert(property);
  });

  it('agrees with a Map over long runs of holds and releases', () => {
    const table = new PrefixTable(32, HASH_KEY);
    const model = new Map<string, PrefixId>();
    const keys = Array.from(
      { length: 400 },
      (_, i) => `10.${i % 20}.${Math.floor(i / 20)}.0/${20 + (i % 9)}`,
    );
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 20_000; round++) {
      const bytes = nlri(keys[random(keys.length)]);
      const key = bytes.join('.');
      if (random(2) === 0) {
        const id = table.intern(bytes, 0);
        if (!model.has(key)) table.hold(id);
        assert.equal(model.get(key) ?? id, id);
        model.set(key, id);
      } else if (model.has(key)) {
        table.release(table.find(bytes, 0));
        model.delete(key);
      }
      // A prefix without holds may still be known.
      const found = table.find(bytes, 0);
      assert.equal(table.has(found) ? found : NO_PREFIX, model.get(key) ?? NO_PREFIX);
      if (random(50) === 0) table.reclaim(random(20));
    }
    assert.equal(table.size, model.size);
    assert.equal(new Set(model.values()).size, model.size, 'no number is given out twice');
    for (const [key, id] of model)
      assert.equal(table.find(Uint8Array.from(key.split('.').map(Number)), 0), id);
    assert.ok(table.end <= keys.length, 'numbers are reused');
  });

  it('keeps a prefix until its last hold is released', () => {
    const table = new PrefixTable(32, HASH_KEY);
    const id = table.intern(nlri('10.0.0.0/8'), 0);
    table.hold(id);
    table.hold(id);
    table.release(id);
    assert.ok(table.has(id));
    table.release(id);
    assert.equal(table.has(id), false);
    assert.equal(table.size, 0);
    assert.equal(table.find(nlri('10.0.0.0/8'), 0), id, 'it has the same number again');
    table.reclaim(1);
    assert.equal(table.find(nlri('10.0.0.0/8'), 0), NO_PREFIX);
    assert.ok(!table.hasUnused);
  });

  it('searches the index for no prefix that comes in the order of the last time', () => {
    const table = new PrefixTable(32, HASH_KEY);
    // In different blocks, so that the index cannot answer from the block that it found last.
    const list = Array.from({ length: 100 }, (_, i) => nlri(`10.${i}.0.0/16`)).filter((_, i) => i % 8 === 0);
    const ids = list.map((bytes) => table.intern(bytes, 0));
    for (const id of ids) table.hold(id);
    const { find, place } = PrefixIndex.prototype;
    let searches = 0;
    PrefixIndex.prototype.find = function (...wanted) {
      searches++;
      return find.apply(this, wanted);
    };
    PrefixIndex.prototype.place = function (...wanted) {
      searches++;
      return place.apply(this, wanted);
    };
    try {
      assert.deepEqual(
        list.map((bytes) => table.intern(bytes, 0)),
        ids,
      );
      assert.deepEqual(
        list.map((bytes) => table.find(bytes, 0)),
        ids,
      );
    } finally {
      PrefixIndex.prototype.find = find;
      PrefixIndex.prototype.place = place;
    }
    assert.ok(searches <= 2, 'one for the first prefix of each round');
  });

  it('finds the longest match among those that are accepted', () => {
    const table = new PrefixTable(32, HASH_KEY);
    const ids = new Map(
      ['0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.3/32'].map((text) => [
        text,
        table.intern(nlri(text), 0),
      ]),
    );
    const match = (address: number[], accept = (_: number) => true): string | null => {
      const id = table.longestMatch(Uint8Array.from(address), accept);
      return id === NO_PREFIX ? null : text(table, id);
    };
    assert.equal(match([10, 1, 2, 3]), '10.1.2.3/32');
    assert.equal(match([10, 1, 2, 4]), '10.1.0.0/16');
    assert.equal(match([10, 2, 0, 0]), '10.0.0.0/8');
    assert.equal(match([11, 0, 0, 0]), '0.0.0.0/0');
    assert.equal(
      match([10, 1, 2, 3], (id) => id !== ids.get('10.1.2.3/32')),
      '10.1.0.0/16',
    );
    assert.equal(
      match([10, 1, 2, 3], () => false),
      null,
    );
  });

  it('works with addresses of 128 bits', () => {
    const table = new PrefixTable(128, HASH_KEY);
    const long = Uint8Array.of(128, ...Array.from({ length: 16 }, (_, i) => i + 1));
    const short = Uint8Array.of(48, 0x20, 0x01, 0x0d, 0xb8, 0, 7);
    const a = table.intern(long, 0);
    const b = table.intern(short, 0);
    assert.equal(table.find(long, 0), a);
    assert.equal(table.find(Uint8Array.of(48, 0x20, 0x01, 0x0d, 0xb8, 0, 8), 0), NO_PREFIX);
    const out = new Uint8Array(17);
    assert.equal(table.write(b, out, 0), 7);
    assert.deepEqual(out.slice(0, 7), short);
  });
});
