import assert from 'node:assert/strict';
import { seededRandom } from 'bgp-js-testing/simulator/random.ts';
import { AttributeTable, AttrsKind } from '../../../rib/store/attribute-table.ts';
import {
  drawHashKey,
  type HashKey,
  HashTable,
  hashOctets,
  hashWords,
} from '../../../rib/store/hash-table.ts';
import { LOCAL_SOURCE } from '../../../rib/store/ids.ts';
import { PrefixIndex } from '../../../rib/store/prefix-table.ts';
import { Speaker } from '../../../speaker/speaker.ts';
import { AttributeScan } from '../../../wire/scan-result.ts';

const [KNOWN, OTHER] = [drawHashKey(seededRandom(1)), drawHashKey(seededRandom(2))];
/** So many values with the lowest ten bits of the hash equal are no accident. */
const CROWD = 200;
const SAME_BITS = 1023;

/** Octet strings whose hashes under `key` begin their search at the same slot. */
function collidingOctets(key: HashKey): Uint8Array[] {
  const found: Uint8Array[] = [];
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  for (let i = 0; found.length < CROWD; i++) {
    view.setUint32(0, i);
    if ((hashOctets(key, bytes, 0, 8, AttrsKind.internal) & SAME_BITS) === 0) found.push(bytes.slice());
  }
  return found;
}

/** Addresses of /24 prefixes in different blocks, with the same property. */
function collidingAddresses(key: HashKey): Uint32Array[] {
  const found: Uint32Array[] = [];
  for (let i = 0; found.length < CROWD; i++) {
    const address = (i << 11) >>> 0;
    if ((hashWords(key, Uint32Array.of(address, 24), 2) & SAME_BITS) === 0)
      found.push(Uint32Array.of(address));
  }
  return found;
}

function addAll(table: AttributeTable, list: readonly Uint8Array[]): void {
  const scan = new AttributeScan();
  for (const bytes of list) {
    const rest = { start: 0, end: bytes.length, scan, chargedSource: LOCAL_SOURCE };
    table.retain(table.add({ kind: AttrsKind.internal, bytes, ...rest }));
  }
}

describe('the keyed hash', () => {
  it('differs with every octet, the length, the number beside them, and the key', () => {
    const bytes = Uint8Array.from({ length: 9 }, (_, i) => i);
    const hashes = new Set<number>();
    for (let end = 0; end <= 9; end++) hashes.add(hashOctets(KNOWN, bytes, 0, end, 0));
    hashes.add(hashOctets(KNOWN, bytes, 0, 9, 1));
    hashes.add(hashOctets(OTHER, bytes, 0, 9, 0));
    for (let i = 0; i < 9; i++) {
      const changed = bytes.slice();
      changed[i] ^= 0x80;
      hashes.add(hashOctets(KNOWN, changed, 0, 9, 0));
    }
    assert.equal(hashes.size, 10 + 1 + 1 + 9);
  });

  it('does not depend on where the octets lie, however many they are', () => {
    const long = Uint8Array.from({ length: 5000 }, (_, i) => i * 7);
    const moved = new Uint8Array(5003);
    moved.set(long, 3);
    assert.equal(hashOctets(KNOWN, long, 0, 5000, 3), hashOctets(KNOWN, moved, 3, 5003, 3));
  });
});

describe('a table whose values peers choose', () => {
  it('is slow for attributes chosen for its key, and not for those chosen for another', () => {
    const chosen = collidingOctets(KNOWN);
    const [known, other] = [new AttributeTable(KNOWN), new AttributeTable(OTHER)];
    addAll(known, chosen);
    addAll(other, chosen);
    assert.ok(known.longestProbe() >= CROWD);
    assert.ok(other.longestProbe() < CROWD / 4, `${other.longestProbe()} slots`);
  });

  it('is slow for prefixes chosen for its key, and not for those chosen for another', () => {
    const chosen = collidingAddresses(KNOWN);
    const [known, other] = [KNOWN, OTHER].map((key) => new PrefixIndex(1, key));
    for (const index of [known, other]) for (const address of chosen) index.fill(index.place(address, 24), 1);
    assert.ok(known.longestProbe() >= CROWD);
    assert.ok(other.longestProbe() < CROWD / 4, `${other.longestProbe()} slots`);
  });

  it("gets its key from the speaker's source of randomness", () => {
    const options = { as: 1, routerId: '10.0.0.1', address: '10.0.0.1', maximumPaths: 1 };
    const speaker = new Speaker(options, seededRandom(2));
    addAll(speaker.routing.attributes, collidingOctets(KNOWN));
    assert.deepEqual(speaker.routing.attributes.hashKey, OTHER);
    assert.ok(speaker.routing.attributes.longestProbe() < CROWD / 4);
  });
});

describe('HashTable', () => {
  it('finds every id after any additions and removals', () => {
    const random = seededRandom(3);
    const table = new HashTable();
    const hashes = new Map<number, number>();
    const has = (id: number): boolean => {
      const { slots, mask } = table;
      for (let slot = table.hashes.values[id] & mask; slots[slot] !== 0; slot = (slot + 1) & mask)
        if (slots[slot] === id) return true;
      return false;
    };
    for (let round = 0; round < 20_000; round++) {
      const id = 1 + Math.floor(random() * 300);
      if (hashes.has(id)) {
        table.remove(id);
        hashes.delete(id);
        assert.equal(has(id), false);
      } else {
        // Few hashes, at the end of the table too, so that chains are long and wrap around.
        const hash = (Math.floor(random() * 8) * 0x1fff_ffff) >>> 0;
        table.add(id, hash);
        hashes.set(id, hash);
      }
      if (round % 500 === 0) for (const known of hashes.keys()) assert.ok(has(known));
    }
  });
});
