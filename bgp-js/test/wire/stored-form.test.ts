/** The form in which the RIB stores a peer's attributes, and two-octet AS numbers in both directions (RFC 6793). */
import assert from 'node:assert/strict';
import { mergeAs4Path, pathForTwoOctets, writeSegments } from '../../wire/as-path.ts';
import { scanAttributes } from '../../wire/attribute-scan.ts';
import { type AsSegment, decodeAttributes, formatAsPath } from '../../wire/index.ts';
import { type AttributeContext, AttributeScan } from '../../wire/scan-result.ts';
import { storedForm } from '../../wire/stored-form.ts';
import { hex, toHex } from './bytes.ts';

const NEW: AttributeContext = {
  ebgp: true,
  fourOctetAs: true,
  localAs: 64512,
  localId: 1,
  clusterId: 1,
};
const OLD: AttributeContext = { ...NEW, fourOctetAs: false };

function stored(wire: string, context = NEW): Uint8Array {
  const bytes = hex(wire);
  const scan = new AttributeScan();
  scanAttributes({ bytes, start: 0, end: bytes.length, context }, scan);
  assert.ok(scan.error === null || scan.error.handling === 'discard', scan.error?.text);
  assert.ok(scan.rewrite, 'the scan says that the stored form differs');
  return storedForm({ bytes, start: 0, end: bytes.length, context }, scan);
}

describe('the stored form', () => {
  const BASE = '40010100 400206020100 00fde9 4003040a000002';
  const CASES: [string, string, string][] = [
    ['unknown transitive attributes become Partial', 'c06302abcd', 'e06302abcd'],
    ['with the extended length too', 'd0630002abcd', 'f0630002abcd'],
    ['unknown non-transitive ones are dropped', '806302abcd', ''],
    ['what is to be discarded is dropped', '400504000000c8 40060100 80090401020304', ''],
    ['MP attributes are not kept', '800f03000201', ''],
    ['AS4 attributes from a four-octet peer are dropped', 'c0110602010000fde9 c012080000fde90a000002', ''],
    ['of repeated attributes the first stays', '80040400000001 80040400000002', '80040400000001'],
    ['of unknown repeated ones as well', 'c06301aa c06301bb', 'e06301aa'],
    [
      'of repeated large communities too',
      `c0200c${'00'.repeat(12)} c0200c${'01'.repeat(12)}`,
      `c0200c${'00'.repeat(12)}`,
    ],
    [
      'repeated large communities are stored once (RFC 8092 §5)',
      `c02024${'00'.repeat(12)}${'01'.repeat(12)}${'00'.repeat(12)}`,
      `c02018${'00'.repeat(12)}${'01'.repeat(12)}`,
    ],
    ['BLACKHOLE from eBGP gets NO_EXPORT (RFC 7999 §3.2)', 'c00804ffff029a', 'c00808ffff029affffff01'],
    ['AIGP is removed where it is not enabled', '801a0b01000b0000000000000064', ''],
    ['a malformed PREFIX_SID is removed', 'c02800', ''],
    ['what stays beside it stays as it is', 'c0080400010002 806300', 'c0080400010002'],
  ];
  for (const [title, extra, expected] of CASES) {
    it(title, () => assert.equal(toHex(stored(`${BASE} ${extra}`)), toHex(hex(`${BASE} ${expected}`))));
  }

  const EDITS: [string, Partial<AttributeContext>, string, string][] = [
    [
      'a local AS is prepended to the path (RFC 7705 §3.1)',
      { edits: { prependAs: 64999, onlyToCustomer: 0 } },
      '40010100 400206020100 00fde9',
      '40010100 40020a02020000fde700 00fde9',
    ],
    [
      'a local AS gets a new segment before a full one',
      { edits: { prependAs: 64999, onlyToCustomer: 0 } },
      `50 02 03fe 02ff${'0000fde9'.repeat(255)}`,
      `50 02 0404 02010000fde702ff${'0000fde9'.repeat(255)}`,
    ],
    [
      'a local AS is prepended for a two-octet speaker too',
      { fourOctetAs: false, edits: { prependAs: 64999, onlyToCustomer: 0 } },
      '400204 0201 fde9',
      '40020a 0202 0000fde7 0000fde9',
    ],
    [
      'OTC is added where it is missing (RFC 9234 §5)',
      { edits: { prependAs: 0, onlyToCustomer: 65001 } },
      '40010100',
      '40010100 c0230400 00fde9',
    ],
    [
      'OTC is not added where it exists',
      { edits: { prependAs: 0, onlyToCustomer: 65001 } },
      '40010100 c0230400000007',
      '40010100 c0230400000007',
    ],
  ];
  for (const [title, fields, wire, expected] of EDITS) {
    it(title, () => assert.equal(toHex(stored(wire, { ...NEW, ...fields })), toHex(hex(expected))));
  }

  it('is the received one for valid attributes, also with unknown ones that are Partial', () => {
    for (const wire of [BASE, `${BASE} e06302abcd`, `${BASE} c0080400010002`]) {
      const bytes = hex(wire);
      const scan = new AttributeScan();
      scanAttributes({ bytes, start: 0, end: bytes.length, context: NEW }, scan);
      assert.deepEqual([scan.error, scan.rewrite], [null, false]);
    }
  });
});

describe('from a two-octet peer (RFC 6793 §4.2.3)', () => {
  /** AS_PATH 65001 23456 23456 with two octets. */
  const PATH = '400208 0203 fde9 5ba0 5ba0';
  const decoded = (wire: string) => decodeAttributes(stored(wire, OLD));
  const pathOf = (wire: string) => formatAsPath(decoded(wire).asPath);

  it('AS_PATH gets four-octet numbers', () => assert.equal(pathOf(PATH), '65001 23456 23456'));

  it('AS4_PATH replaces the end of AS_PATH, before or after it in the message', () => {
    const as4 = 'c0110a 0202 00011170 00011171';
    assert.equal(pathOf(`${PATH} ${as4}`), '65001 70000 70001');
    assert.equal(pathOf(`${as4} ${PATH}`), '65001 70000 70001');
  });

  it('a malformed AS4_PATH is ignored', () => {
    assert.equal(pathOf(`${PATH} c0110b 0202 00011170 00011171 00`), '65001 23456 23456');
    assert.equal(pathOf(`${PATH} c0110a 0202 00011170 00000000`), '65001 23456 23456');
  });

  it('AGGREGATOR takes its number from AS4_AGGREGATOR where it is AS_TRANS', () => {
    const { aggregator } = decoded(`${PATH} c00706 5ba0 0a000002 c01208 00011170 0a000003`);
    assert.deepEqual(aggregator, { as: 70000, address: '10.0.0.3' });
    assert.deepEqual(decoded(`${PATH} c00706 fde9 0a000002`).aggregator, { as: 65001, address: '10.0.0.2' });
  });

  it('both AS4 attributes are ignored when a two-octet speaker aggregated the route', () => {
    const result = decoded(
      `${PATH} c0110a 0202 00011170 00011171 c00706 fde9 0a000002 c01208 00011170 0a000003`,
    );
    assert.equal(formatAsPath(result.asPath), '65001 23456 23456');
    assert.deepEqual(result.aggregator, { as: 65001, address: '10.0.0.2' });
  });
});

describe('merging AS_PATH and AS4_PATH', () => {
  const seq = (...ases: number[]): AsSegment => ({ type: 'sequence', ases });
  const set = (...ases: number[]): AsSegment => ({ type: 'set', ases });
  const confed = (...ases: number[]): AsSegment => ({ type: 'confed-sequence', ases });
  const T = 23456;

  const CASES: [string, AsSegment[], AsSegment[], string][] = [
    ['equally long: AS4_PATH', [seq(T, T)], [seq(70000, 70001)], '70000 70001'],
    ['shorter: the lead stays', [seq(1, 2, T)], [seq(70000)], '1 2 70000'],
    ['longer than AS_PATH: it is ignored', [seq(1)], [seq(70000, 70001)], '1'],
    ['none: AS_PATH', [seq(1, T)], [], '1 23456'],
    ['a set in the lead counts as one', [set(1, 2), seq(T)], [seq(70000)], '{1,2} 70000'],
    ['a set in the tail counts as one', [seq(1), set(T, 3)], [set(70000, 3)], '1 {70000,3}'],
    ['the lead ends within a segment', [seq(1, 2), seq(3, T)], [seq(70000)], '1 2 3 70000'],
    ['confederation segments in the lead are kept', [confed(9), seq(1, T)], [seq(70000)], '(9) 1 70000'],
    ['confederation segments in AS4_PATH are passed over', [seq(1, T)], [confed(9), seq(70000)], '1 70000'],
    ['AS4_PATH of such alone is ignored', [seq(1, T)], [confed(9)], '1 23456'],
  ];
  for (const [title, path, as4Path, expected] of CASES) {
    it(title, () => assert.equal(formatAsPath(mergeAs4Path(path, as4Path)), expected));
  }

  it('does not join segments beyond 255 numbers', () => {
    const path = [seq(...Array<number>(10).fill(1)), seq(...Array<number>(250).fill(T))];
    const merged = mergeAs4Path(path, [seq(...Array<number>(250).fill(70000))]);
    assert.deepEqual(
      merged.map(({ ases }) => ases.length),
      [10, 250],
    );
  });
});

describe('towards a two-octet peer (RFC 6793 §4.2.2)', () => {
  const split = (...segments: AsSegment[]) => {
    const value = writeSegments(segments, 4);
    return pathForTwoOctets(value, 0, value.length).map(toHex);
  };

  it('numbers that fit need no AS4_PATH', () => {
    assert.deepEqual(split({ type: 'sequence', ases: [65001, 1] }), ['4002060202fde90001']);
  });

  it('numbers that do not fit become AS_TRANS, and AS4_PATH is added', () => {
    assert.deepEqual(split({ type: 'sequence', ases: [70000, 1] }), [
      '40020602025ba00001',
      'c0110a02020001117000000001',
    ]);
  });

  it('confederation segments are left out of AS4_PATH, and do not require one', () => {
    const confed: AsSegment = { type: 'confed-sequence', ases: [70000] };
    assert.equal(split(confed).length, 1);
    assert.equal(split(confed, { type: 'sequence', ases: [70001] })[1], 'c01106020100011171');
  });

  it('an empty path stays empty', () => assert.deepEqual(split(), ['400200']));
});
