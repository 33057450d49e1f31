import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { type Candidate, comparePaths, DECISION_STEPS, decide } from '../../rib/decision.ts';
import { type Source, SourceKind } from '../../rib/source.ts';
import { AttributeTable } from '../../rib/store/attribute-table.ts';
import type { SourceId } from '../../rib/store/ids.ts';
import type { Attributes } from '../../wire/attributes.ts';
import { ip } from '../ip/values.ts';
import { HASH_KEY, makeSet } from './helpers.ts';

interface Sketch {
  addPathId?: number;
  attributes?: Partial<Attributes>;
  source?: Partial<Source>;
}

const sequence = (...ases: number[]): Partial<Attributes> => ({ asPath: [{ type: 'sequence', ases }] });

function candidate(table: AttributeTable, { attributes, source, addPathId }: Sketch): Candidate {
  const base = {
    index: 5 as SourceId,
    kind: SourceKind.internal,
    name: 'peer',
    as: 64512,
    routerId: 50,
    address: ip('10.0.0.50'),
  };
  return {
    attrs: makeSet(table, attributes),
    addPathId,
    source: { ...base, received: 0, accepted: 0, best: 0, dropped: 0, ...source },
  };
}

/** Each row: the step that decides, the better path and the worse one. */
const TABLE: [string, Sketch, Sketch][] = [
  ['originated here', { source: { kind: SourceKind.local } }, { attributes: { localPref: 999 } }],
  [
    'not long-lived stale',
    { attributes: { localPref: 1 } },
    { attributes: { localPref: 900, communities: [0xffff0006] } },
  ],
  [
    'higher LOCAL_PREF',
    { attributes: { localPref: 200, ...sequence(1, 2, 3) } },
    { attributes: { localPref: 150 } },
  ],
  ['higher LOCAL_PREF', { attributes: {} }, { attributes: { localPref: 99 } }],
  [
    'shorter AS_PATH',
    { attributes: { ...sequence(1), origin: 'incomplete' } },
    { attributes: sequence(1, 2) },
  ],
  [
    'shorter AS_PATH',
    { attributes: { asPath: [{ type: 'set', ases: [1, 2, 3] }] } },
    { attributes: sequence(1, 2) },
  ],
  [
    'lower ORIGIN',
    { attributes: { med: 9, ...sequence(1) } },
    { attributes: { origin: 'EGP', ...sequence(1) } },
  ],
  ['lower ORIGIN', { attributes: { origin: 'EGP' } }, { attributes: { origin: 'incomplete' } }],
  ['lower MED', { attributes: { med: 1, ...sequence(1) } }, { attributes: { med: 2, ...sequence(1) } }],
  ['lower MED', { attributes: sequence(1) }, { attributes: { med: 1, ...sequence(1) } }],
  [
    'eBGP over iBGP',
    { attributes: { med: 9, ...sequence(1) }, source: { kind: SourceKind.external, routerId: 99 } },
    { attributes: { med: 1, ...sequence(2) } },
  ],
  [
    'lower BGP identifier',
    { source: { routerId: 1, address: ip('10.0.0.9') } },
    { source: { routerId: 2, address: ip('10.0.0.1') } },
  ],
  [
    'lower BGP identifier',
    { attributes: { originatorId: '0.0.0.1' }, source: { routerId: 9 } },
    { source: { routerId: 2 } },
  ],
  [
    'lower BGP identifier',
    { attributes: { originatorId: '0.0.0.0' }, source: { routerId: 9 } },
    { source: { routerId: 2 } },
  ],
  [
    'shorter CLUSTER_LIST',
    { attributes: { clusterList: ['1.1.1.1'] }, source: { address: ip('10.0.0.9') } },
    { attributes: { clusterList: ['1.1.1.1', '2.2.2.2'] }, source: { address: ip('10.0.0.1') } },
  ],
  [
    'lower peer address',
    { source: { address: ip('10.0.0.1'), index: 9 as SourceId } },
    { source: { address: ip('10.0.0.2'), index: 1 as SourceId } },
  ],
  ['lower session number', { source: { index: 1 as SourceId } }, { source: { index: 2 as SourceId } }],
  ['lower path identifier', { addPathId: 1 }, { addPathId: 2 }],
];

describe('the decision process', () => {
  for (const [step, better, worse] of TABLE) {
    it(`${step}: ${inspect(better)} beats ${inspect(worse)}`, () => {
      const table = new AttributeTable(HASH_KEY);
      const a = candidate(table, better);
      const b = candidate(table, worse);
      const number = DECISION_STEPS.findIndex(({ name }) => name === step);
      for (const order of [
        [a, b],
        [b, a],
      ]) {
        const { best, decidedAt } = decide(order, table);
        assert.equal(best, a);
        assert.equal(decidedAt.get(b), number);
        assert.equal(decidedAt.get(a), number);
      }
      assert.equal(comparePaths(a, b, table), number + 1);
      assert.equal(comparePaths(b, a, table), -(number + 1));
    });
  }

  it('covers every step', () => {
    assert.deepEqual(
      [...new Set(TABLE.map(([step]) => step))],
      DECISION_STEPS.map(({ name }) => name),
    );
  });

  it('compares MED only within one neighbouring AS', () => {
    const table = new AttributeTable(HASH_KEY);
    const a = candidate(table, { attributes: { med: 9, ...sequence(1) }, source: { routerId: 1 } });
    const b = candidate(table, { attributes: { med: 1, ...sequence(2) }, source: { routerId: 2 } });
    assert.equal(decide([a, b], table).best, a);
  });

  it('does not depend on the order of arrival where pairwise comparison would', () => {
    // RFC 4271 §9.1.2.2 c, the classic cycle: a beats b (identifier), b beats c (MED), c beats a (identifier).
    const table = new AttributeTable(HASH_KEY);
    const a = candidate(table, { attributes: { med: 5, ...sequence(1) }, source: { routerId: 2 } });
    const b = candidate(table, { attributes: { med: 0, ...sequence(2) }, source: { routerId: 3 } });
    const c = candidate(table, { attributes: { med: 9, ...sequence(2) }, source: { routerId: 1 } });
    const orders = [
      [a, b, c],
      [a, c, b],
      [b, a, c],
      [b, c, a],
      [c, a, b],
      [c, b, a],
    ];
    for (const order of orders) assert.equal(decide(order, table).best, a);
  });

  it('has the same outcome for every order of arrival', () => {
    const sketch = fc.record({
      localPref: fc.constantFrom(100, 200),
      ases: fc.array(fc.constantFrom(1, 2), { minLength: 1, maxLength: 2 }),
      med: fc.constantFrom(0, 5),
      kind: fc.constantFrom(SourceKind.external, SourceKind.internal),
      routerId: fc.integer({ min: 1, max: 3 }),
    });
    const property = fc.property(
      fc.array(sketch, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      (list, picks) => {
        const table = new AttributeTable(HASH_KEY);
        const all = list.map(({ localPref, ases, med, kind, routerId }, index) =>
          candidate(table, {
            attributes: { localPref, med, ...sequence(...ases) },
            source: { kind, routerId, index: index as SourceId },
          }),
        );
        const shuffled: Candidate[] = [];
        for (const each of all) shuffled.splice((picks.next().value ?? 0) % (shuffled.length + 1), 0, each);
        const one = decide(all, table);
        const other = decide(shuffled, table);
        assert.equal(one.best, other.best);
        assert.deepEqual(new Set(one.equal), new Set(other.equal));
        assert.equal(one.equal[0], one.best);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('returns the paths that are equal before the tie-breaks, best first', () => {
    const table = new AttributeTable(HASH_KEY);
    const external = { kind: SourceKind.external };
    const a = candidate(table, { attributes: sequence(1), source: { ...external, routerId: 3 } });
    const b = candidate(table, { attributes: sequence(2), source: { ...external, routerId: 1 } });
    const c = candidate(table, { attributes: sequence(2, 2), source: { ...external, routerId: 0 } });
    const d = candidate(table, { attributes: sequence(1), source: { ...external, routerId: 2 } });
    assert.deepEqual(decide([a, b, c, d], table).equal, [b, d, a]);
  });
});
