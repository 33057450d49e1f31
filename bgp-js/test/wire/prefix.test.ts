/** Prefixes and addresses between text and wire form (RFC 4271 §4.3). */
import assert from 'node:assert/strict';
import {
  covers,
  decodePrefix,
  encodePrefix,
  formatIPv4,
  formatPrefix,
  isValidNlri,
  maskOf,
  parseIPv4,
  parsePrefix,
} from '../../wire/prefix.ts';
import { hex, toHex } from './bytes.ts';

const prefix = (text: string) => {
  const result = parsePrefix(text);
  assert.ok(result, `${text} is a prefix`);
  return result;
};

describe('IPv4 addresses', () => {
  it('are read in strict dotted decimal', () => {
    assert.equal(parseIPv4('0.0.0.0'), 0);
    assert.equal(parseIPv4('10.244.1.2'), 0x0af40102);
    assert.equal(parseIPv4('255.255.255.255'), 0xffffffff);
  });

  const NONE = [
    '',
    '10',
    '10.0.0',
    '10.0.0.0.0',
    '256.0.0.1',
    '010.0.0.1',
    '1.2.3.04',
    ' 10.0.0.1',
    '10.0.0.1 ',
  ];
  for (const text of [
    ...NONE,
    '0x0a.0.0.1',
    '-1.0.0.0',
    '1e1.0.0.0',
    '::1',
    '::ffff:10.0.0.1',
    '10.0.0.1\n',
  ]) {
    it(`${JSON.stringify(text)} is none`, () => assert.equal(parseIPv4(text), -1));
  }

  it('are written back the same', () => {
    for (const text of ['0.0.0.0', '127.0.0.1', '128.0.0.0', '255.255.255.255']) {
      assert.equal(formatIPv4(parseIPv4(text)), text);
    }
  });
});

describe('prefixes', () => {
  const WIRE: [string, string][] = [
    ['0.0.0.0/0', '00'],
    ['128.0.0.0/1', '01 80'],
    ['10.0.0.0/7', '07 0a'],
    ['10.0.0.0/8', '08 0a'],
    ['10.128.0.0/9', '09 0a80'],
    ['10.244.0.0/16', '10 0af4'],
    ['10.244.128.0/17', '11 0af480'],
    ['10.244.1.0/24', '18 0af401'],
    ['10.244.1.64/26', '1a 0af40140'],
    ['10.244.1.254/31', '1f 0af401fe'],
    ['255.255.255.255/32', '20 ffffffff'],
  ];
  for (const [text, wire] of WIRE) {
    it(`${text} is ${wire}, and back`, () => {
      assert.equal(toHex(encodePrefix(prefix(text))), toHex(hex(wire)));
      assert.equal(formatPrefix(decodePrefix(hex(wire), 0)), text);
      assert.ok(isValidNlri(hex(wire), 0, hex(wire).length, 32));
    });
  }

  it('host bits are masked, in text and on the wire', () => {
    assert.equal(formatPrefix(prefix('10.244.1.77/26')), '10.244.1.64/26');
    assert.equal(formatPrefix(decodePrefix(hex('1a 0af4017f'), 0)), '10.244.1.64/26');
    assert.equal(formatPrefix(decodePrefix(hex('01 ff'), 0)), '128.0.0.0/1');
  });

  it('an address alone is a /32', () => assert.equal(formatPrefix(prefix('10.0.0.1')), '10.0.0.1/32'));

  for (const text of [
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/a',
    '10.0.0/8',
    '/8',
    '10.0.0.0/008',
  ]) {
    it(`${text} is none`, () => assert.equal(parsePrefix(text), null));
  }

  it('masks', () => {
    assert.deepEqual([0, 1, 8, 31, 32].map(maskOf), [0, 0x80000000, 0xff000000, 0xfffffffe, 0xffffffff]);
  });

  it('covers: itself and its parts, no others', () => {
    const outer = prefix('10.244.0.0/16');
    assert.ok(covers(outer, outer));
    assert.ok(covers(outer, prefix('10.244.255.255/32')));
    assert.ok(covers(prefix('0.0.0.0/0'), outer));
    assert.ok(!covers(outer, prefix('10.245.0.0/24')));
    assert.ok(!covers(outer, prefix('10.0.0.0/8')));
  });
});

describe('NLRI fields', () => {
  const sound = (wire: string) => isValidNlri(hex(wire), 0, hex(wire).length, 32);

  it('sound: none, one, many', () => {
    for (const wire of ['', '00', '20 0a000001', '18 0af401 00 20 0a000001']) assert.ok(sound(wire), wire);
  });

  it('unsound: too long a prefix, or cut off anywhere', () => {
    for (const wire of ['21 0a00000100', 'ff', '20 0a0000', '08', '18 0af401 1a 0af401']) {
      assert.ok(!sound(wire), wire);
    }
  });

  it('only the octets in bounds are looked at', () => {
    const bytes = hex('ff 18 0af401 ff');
    assert.ok(isValidNlri(bytes, 1, 5, 32));
    assert.ok(!isValidNlri(bytes, 1, 4, 32));
  });
});
