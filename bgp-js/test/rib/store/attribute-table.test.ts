import assert from 'node:assert/strict';
import { AttributeTable, AttrsKind } from '../../../rib/store/attribute-table.ts';
import { type AttrsId, LOCAL_SOURCE, NO_ATTRS } from '../../../rib/store/ids.ts';
import { AttributeScan } from '../../../wire/scan-result.ts';
import { HASH_KEY, makeSet } from '../helpers.ts';

describe('AttributeTable', () => {
  it('shares equal sets and keeps what the decision process compares', () => {
    const table = new AttributeTable(HASH_KEY);
    const a = makeSet(table, {
      med: 5,
      localPref: 200,
      asPath: [{ type: 'sequence', ases: [65001, 65002] }],
    });
    const b = makeSet(table, {
      med: 5,
      localPref: 200,
      asPath: [{ type: 'sequence', ases: [65001, 65002] }],
    });
    assert.equal(a, b);
    table.retain(a);
    assert.equal(table.size, 1);
    assert.equal(table.med.values[a], 5);
    assert.equal(table.localPref.values[a], 200);
    assert.equal(table.asPathLength.values[a], 2);
    assert.equal(table.firstAs.values[a], 65001);
    assert.deepEqual(table.decode(a).asPath, [{ type: 'sequence', ases: [65001, 65002] }]);
  });

  it('separates sets of internal and external peers', () => {
    const table = new AttributeTable(HASH_KEY);
    const scan = new AttributeScan();
    const bytes = Uint8Array.of(0x40, 1, 1, 0);
    const rest = { bytes, start: 0, end: 4, scan, chargedSource: LOCAL_SOURCE };
    const inside = table.add({ ...rest, kind: AttrsKind.internal });
    assert.equal(table.find(AttrsKind.external, bytes, 0, 4), NO_ATTRS);
    const outside = table.add({ ...rest, kind: AttrsKind.external });
    assert.notEqual(inside, outside);
  });

  it('reuses the number and the place of a set after its last reference', () => {
    const table = new AttributeTable(HASH_KEY);
    const a = makeSet(table, { med: 1 });
    table.retain(a);
    table.retain(a);
    table.release(a);
    assert.equal(table.size, 1);
    table.release(a);
    assert.equal(table.size, 0);
    const b = makeSet(table, { med: 2 });
    assert.equal(b, a, 'the number is reused');
    assert.equal(table.decode(b).med, 2);
  });

  it('agrees with a Map after long random runs', () => {
    const table = new AttributeTable(HASH_KEY);
    const model = new Map<number, AttrsId>();
    let state = 99;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 20_000; round++) {
      const med = random(500);
      const known = model.get(med);
      if (known !== undefined && random(2) === 0) {
        table.release(known);
        model.delete(med);
        continue;
      }
      // The length differs with the number of communities, so that places of several sizes are freed and reused.
      const communities = Array.from({ length: 1 + (med % 40) }, (_, i) => i);
      const attrs = makeSet(table, { med, communities });
      if (known === undefined) table.retain(attrs);
      else assert.equal(attrs, known);
      model.set(med, attrs);
      if (random(50) === 0) table.reclaim(random(20));
    }
    assert.equal(table.size, model.size);
    for (const [med, attrs] of model) {
      assert.equal(table.decode(attrs).med, med);
      assert.equal(table.decode(attrs).communities?.length, 1 + (med % 40));
    }
  });
});
