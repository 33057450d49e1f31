/** Attributes as objects and as text. */
import assert from 'node:assert/strict';
import { attributeName } from '../../wire/attribute-types.ts';
import {
  type AsSegment,
  type Attributes,
  decodeAttributes,
  encodeAttributes,
  formatAsPath,
  formatCommunity,
} from '../../wire/index.ts';
import { hex, toHex } from './bytes.ts';

const FULL: Attributes = {
  origin: 'EGP',
  asPath: [
    { type: 'sequence', ases: [65001, 4200000000] },
    { type: 'set', ases: [1, 2] },
  ],
  nextHop: '10.0.0.2',
  med: 7,
  localPref: 200,
  atomicAggregate: true,
  aggregator: { as: 65001, address: '10.0.0.3' },
  communities: [0xfde90001, 0xffffff01],
  originatorId: '10.0.0.4',
  clusterList: ['10.0.0.5', '10.0.0.6'],
  extendedCommunities: [0x0002fde900000064n],
  ipv6ExtendedCommunities: [hex('0002 20010db8000000000000000000000001 0064')],
  aigp: 0x100000002n,
  largeCommunities: [[65001, 1, 2]],
  onlyToCustomer: 65001,
  others: [{ flags: 0xe0, type: 99, value: hex('ab') }],
};

const FULL_WIRE = `
  40 01 01 01
  40 02 14 0202 0000fde9 fa56ea00 0102 00000001 00000002
  40 03 04 0a000002
  80 04 04 00000007
  40 05 04 000000c8
  40 06 00
  c0 07 08 0000fde9 0a000003
  c0 08 08 fde90001 ffffff01
  80 09 04 0a000004
  80 0a 08 0a000005 0a000006
  c0 10 08 0002fde900000064
  c0 19 14 0002 20010db8000000000000000000000001 0064
  80 1a 0b 01 000b 0000000100000002
  c0 20 0c 0000fde9 00000001 00000002
  c0 23 04 0000fde9
  e0 63 01 ab`;

describe('attributes as objects', () => {
  it('are encoded in ascending order of type', () => {
    assert.equal(toHex(encodeAttributes(FULL)), toHex(hex(FULL_WIRE)));
  });

  it('are decoded to the same object', () => assert.deepEqual(decodeAttributes(hex(FULL_WIRE)), FULL));

  it('are decoded in any order', () => {
    const lines = FULL_WIRE.trim().split('\n').reverse().join(' ');
    const { others, ...rest } = decodeAttributes(hex(lines));
    assert.deepEqual({ ...rest, others: others?.reverse() }, FULL);
  });

  it('may be ORIGIN and an empty AS_PATH alone', () => {
    const least: Attributes = { origin: 'incomplete', asPath: [] };
    assert.equal(toHex(encodeAttributes(least)), '40010102400200');
    assert.deepEqual(decodeAttributes(hex('40010102 400200')), least);
  });

  it('have the extended length for values of more than 255 octets, and not in the object', () => {
    const communities = Array.from({ length: 64 }, (_, i) => i);
    const wire = encodeAttributes({ origin: 'IGP', asPath: [], communities });
    assert.equal(toHex(wire.subarray(7, 11)), 'd0080100');
    assert.deepEqual(decodeAttributes(wire).communities, communities);
  });

  it('keep an IPv4-mapped next hop in MP_REACH_NLRI', () => {
    const mapped = hex('40 01 01 00 40 02 00 80 0e 15 0002 01 10 00000000000000000000ffff0a000001 00');
    assert.equal(decodeAttributes(mapped).nextHop, '::ffff:10.0.0.1');
    assert.equal(toHex(encodeAttributes(decodeAttributes(mapped))), toHex(mapped));
  });

  it('throw a RangeError for text that is not an address', () => {
    for (const nextHop of ['10.0.0', '10.0.0.256', 'host', '']) {
      assert.throws(() => encodeAttributes({ origin: 'IGP', asPath: [], nextHop }), RangeError);
    }
  });

  it('are left out when truncated, without an exception', () => {
    const wire = hex(FULL_WIRE);
    for (let end = 0; end < wire.length; end++) decodeAttributes(wire, 0, end);
    assert.deepEqual(decodeAttributes(wire, 0, 4 + 23 + 6), { origin: 'EGP', asPath: FULL.asPath });
  });
});

describe('attributes as text', () => {
  it('AS_PATH', () => {
    const path: AsSegment[] = [
      ...FULL.asPath,
      { type: 'confed-sequence', ases: [3, 4] },
      { type: 'confed-set', ases: [5, 6] },
    ];
    assert.equal(formatAsPath(path), '65001 4200000000 {1,2} (3 4) [5,6]');
    assert.equal(formatAsPath([]), '');
  });

  it('communities', () => {
    const words = [0xfde90064, 0xffffff01, 0xffffff02, 0xffffff03, 0xffff0000, 0].map(formatCommunity);
    const named = ['no-export', 'no-advertise', 'no-export-subconfed', 'graceful-shutdown'];
    assert.deepEqual(words, ['65001:100', ...named, '0:0']);
  });

  it('leave an AIGP without a metric in wire form', () => {
    const other = decodeAttributes(hex('80 1a 04 02 0004 aa'));
    assert.deepEqual(other.others, [{ flags: 0x80, type: 26, value: hex('02 0004 aa') }]);
    assert.equal(other.aigp, undefined);
  });

  it('names', () => {
    assert.deepEqual(
      [attributeName(1), attributeName(32), attributeName(99)],
      ['ORIGIN', 'LARGE_COMMUNITY', 'attribute 99'],
    );
  });
});
