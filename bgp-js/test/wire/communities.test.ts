/** Communities of every kind as text. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  formatCommunity,
  formatExtendedCommunity,
  formatIPv6ExtendedCommunity,
  formatLargeCommunity,
  parseCommunity,
  parseExtendedCommunity,
  parseIPv6ExtendedCommunity,
  parseLargeCommunity,
} from '../../wire/index.ts';
import { hex, toHex } from './bytes.ts';

const STANDARD: [string, number][] = [
  ['65001:100', 0xfde90064],
  ['0:0', 0],
  ['65535:65535', 0xffffffff],
  ['graceful-shutdown', 0xffff0000],
  ['llgr-stale', 0xffff0006],
  ['no-llgr', 0xffff0007],
  ['blackhole', 0xffff029a],
  ['no-export', 0xffffff01],
  ['no-advertise', 0xffffff02],
  ['no-export-subconfed', 0xffffff03],
  ['no-peer', 0xffffff04],
];

const EXTENDED: [string, bigint][] = [
  ['rt:65000:100', 0x0002fde800000064n],
  ['soo:65000:4294967295', 0x0003fde8ffffffffn],
  ['rt:10.0.0.1:5', 0x01020a0000010005n],
  ['rt:4200000000:7', 0x0202fa56ea000007n],
  ['rt:65000L:7', 0x02020000fde80007n],
  ['0x0006000000000001', 0x0006000000000001n],
  ['0x4002fde800000064', 0x4002fde800000064n],
  ['0xffffffffffffffff', 0xffffffffffffffffn],
];

describe('communities as text', () => {
  for (const [text, number] of STANDARD) {
    it(`standard: ${text}`, () => {
      assert.equal(formatCommunity(number), text);
      assert.equal(parseCommunity(text), number);
    });
  }
  for (const [text, number] of EXTENDED) {
    it(`extended: ${text}`, () => {
      assert.equal(formatExtendedCommunity(number), text);
      assert.equal(parseExtendedCommunity(text), number);
    });
  }

  it('large', () => {
    assert.equal(formatLargeCommunity([4294967295, 0, 7]), '4294967295:0:7');
    assert.deepEqual(parseLargeCommunity('4294967295:0:7'), [4294967295, 0, 7]);
  });

  it('IPv6-specific extended', () => {
    const target = hex('0002 20010db8000000000000000000000001 0064');
    assert.equal(formatIPv6ExtendedCommunity(target), 'rt:[2001:db8::1]:100');
    assert.deepEqual(parseIPv6ExtendedCommunity('rt:[2001:db8::1]:100'), target);
    const other = hex('4002 20010db8000000000000000000000001 0064');
    const text = formatIPv6ExtendedCommunity(other);
    assert.equal(text, `0x${toHex(other)}`);
    assert.deepEqual(parseIPv6ExtendedCommunity(text), other);
  });

  it('are null for other text', () => {
    for (const text of [
      '',
      '1',
      '65536:0',
      '0:65536',
      '1:2:3',
      '-1:0',
      '01:2',
      '1:',
      'a:b',
      ' 1:2',
      'no export',
    ])
      assert.equal(parseCommunity(text), null, text);
    for (const text of ['', '1:2', '1:2:4294967296', '1:2:3:4', '01:2:3', '1:2:x'])
      assert.equal(parseLargeCommunity(text), null, text);
    for (const text of [
      '',
      'rt:1',
      'xx:1:2',
      'rt:65536:65536',
      'rt:10.0.0:1',
      'rt:10.0.0.1:65536',
      'rt:10.0.0.1L:1',
    ])
      assert.equal(parseExtendedCommunity(text), null, text);
    for (const text of [
      'rt:1:4294967296',
      'rt:4294967296:1',
      'rt:65000L:65536',
      '0x00',
      '0x00000000000000000',
    ])
      assert.equal(parseExtendedCommunity(text), null, text);
    for (const text of ['', 'rt:[::1]', 'rt:[::1]:65536', 'rt:[::g]:1', 'xx:[::1]:1', '0x00'])
      assert.equal(parseIPv6ExtendedCommunity(text), null, text);
  });

  it('come back from their text', () => {
    const u32 = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(fc.property(u32, (value) => parseCommunity(formatCommunity(value)) === value));
    const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
    const named = fc.bigInt({ min: 0n, max: 0x02ffffffffffffffn });
    fc.assert(
      fc.property(
        fc.oneof(u64, named),
        (value) => parseExtendedCommunity(formatExtendedCommunity(value)) === value,
      ),
    );
    const octets = fc.uint8Array({ minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(octets, (value) => {
        assert.deepEqual(parseIPv6ExtendedCommunity(formatIPv6ExtendedCommunity(value)), value);
      }),
    );
  });
});
