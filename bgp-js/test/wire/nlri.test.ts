/** Prefixes in wire form (RFC 4271 §4.3). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { IPAddress, IPPrefix } from '../../ip/index.ts';
import { isValidNlri, nlriCovers, nlriLength } from '../../wire/nlri.ts';
import { prefix } from '../ip/values.ts';
import { hex, toHex } from './bytes.ts';

describe('the NLRI of a prefix', () => {
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
    ['2001:db8::/29', '1d 20010db8'],
  ];
  for (const [text, wire] of WIRE) {
    it(`of ${text} is ${wire}`, () => {
      const { version } = prefix(text);
      assert.equal(toHex(prefix(text).toNlri()), toHex(hex(wire)));
      assert.equal(IPPrefix.readNlri(hex(wire), 0, version).toString(), text);
      assert.equal(nlriLength(hex(wire)[0]), hex(wire).length);
      assert.ok(isValidNlri(hex(wire), 0, hex(wire).length, 32));
    });
  }

  it('is read without its host bits', () => {
    assert.equal(IPPrefix.readNlri(hex('1a 0af4017f'), 0, 4).toString(), '10.244.1.64/26');
    assert.equal(IPPrefix.readNlri(hex('01 ff'), 0, 4).toString(), '128.0.0.0/1');
  });
});

describe('nlriCovers', () => {
  const anyPrefix = fc
    .tuple(fc.constantFrom(0, 0x0a000000, 0x0af40000, 0xffffffff), fc.nat(0xffff), fc.nat(32))
    .map(([base, low, length]) => IPPrefix.of(IPAddress.v4(base | low), length));

  it('agrees with the prefixes as values', () => {
    fc.assert(
      fc.property(anyPrefix, anyPrefix, (outer, inner) => {
        assert.equal(nlriCovers(outer.toNlri(), 0, inner.toNlri(), 0), outer.covers(inner));
      }),
    );
  });
});

describe('isValidNlri', () => {
  const isValid = (wire: string) => isValidNlri(hex(wire), 0, hex(wire).length, 32);

  it('accepts none, one and many prefixes', () => {
    for (const wire of ['', '00', '20 0a000001', '18 0af401 00 20 0a000001']) assert.ok(isValid(wire), wire);
  });

  it('refuses a prefix that is too long or incomplete', () => {
    for (const wire of ['21 0a00000100', 'ff', '20 0a0000', '08', '18 0af401 1a 0af401']) {
      assert.ok(!isValid(wire), wire);
    }
  });

  it('reads nothing outside its bounds', () => {
    const bytes = hex('ff 18 0af401 ff');
    assert.ok(isValidNlri(bytes, 1, 5, 32));
    assert.ok(!isValidNlri(bytes, 1, 4, 32));
  });

  it('counts the octets of path identifiers', () => {
    assert.ok(isValidNlri(hex('00000001 18 0af401 00000002 00'), 0, 13, 32, 4));
    assert.ok(!isValidNlri(hex('00000001 18 0af401 00000002'), 0, 12, 32, 4));
  });
});
