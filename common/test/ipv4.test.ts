import assert from 'node:assert/strict';
import fc from 'fast-check';
import { contains, formatCidr, formatIPv4, networkOf, overlaps, parseCidr, parseIPv4 } from '../ipv4.ts';

describe('IPv4', () => {
  const address = fc.integer({ min: 0, max: 0xffffffff });
  const cidr = fc.record({ address, length: fc.integer({ min: 0, max: 32 }) });

  it('reads every address that it writes', () => {
    fc.assert(fc.property(address, (number) => parseIPv4(formatIPv4(number)) === number));
    assert.equal(formatIPv4(0xffffffff), '255.255.255.255');
    assert.equal(parseIPv4('10.0.0.1'), 0x0a000001);
  });

  it('refuses anything else', () => {
    for (const text of [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '1.2.3.04',
      ' 1.2.3.4',
      '1.2.3.4 ',
      '0x1.2.3.4',
      '::1',
    ]) {
      assert.equal(parseIPv4(text), undefined, text);
    }
    for (const text of ['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0/8']) {
      assert.equal(parseCidr(text), undefined, text);
    }
  });

  it('clears host bits at both ends of the scale', () => {
    assert.equal(formatCidr(networkOf({ address: 0xffffffff, length: 0 })), '0.0.0.0/0');
    assert.equal(formatCidr(networkOf({ address: 0xffffffff, length: 1 })), '128.0.0.0/1');
    assert.equal(formatCidr(networkOf({ address: 0xffffffff, length: 32 })), '255.255.255.255/32');
  });

  it('overlaps exactly where one range holds the first address of the other', () => {
    fc.assert(
      fc.property(cidr, cidr, (a, b) => {
        const expected = contains(a, networkOf(b).address) || contains(b, networkOf(a).address);
        return overlaps(a, b) === expected && overlaps(b, a) === expected;
      }),
    );
    assert.equal(overlaps({ address: 0x0a000000, length: 8 }, { address: 0x0a0a0000, length: 16 }), true);
    assert.equal(overlaps({ address: 0x0a000000, length: 9 }, { address: 0x0a800000, length: 9 }), false);
  });
});
