import assert from 'node:assert/strict';
import { formatAddress, parseAddress, parseRanges } from '../../ipam/ranges.ts';

describe('ipam ranges', () => {
  it('parses and formats addresses', () => {
    for (const text of ['0.0.0.0', '10.244.1.7', '192.0.2.255', '255.255.255.255']) {
      assert.equal(formatAddress(parseAddress(text)!), text);
    }
    assert.equal(parseAddress('128.0.0.1'), 0x80000001);
    for (const text of [
      '',
      '10.1.1',
      '10.1.1.1.1',
      '10.1.1.256',
      '10.01.1.1',
      '10.1.1.-1',
      ' 10.1.1.1',
      '0x0a.1.1.1',
    ]) {
      assert.equal(parseAddress(text), undefined, text);
    }
  });

  it('reads ranges of every size', () => {
    const [small, one, high] = parseRanges(['10.244.1.0/26', '10.0.0.9/32', '250.0.0.0/8']);
    assert.deepEqual(small, { cidr: '10.244.1.0/26', first: 0x0af40100, size: 64 });
    assert.equal(one.size, 1);
    assert.equal(high.first + high.size, 0xfb000000);
  });

  it('refuses what is not a range, and says why', () => {
    const wrong: [string, RegExp][] = [
      ['10.244.1.0', /not an IPv4 range/],
      ['10.244.1.0/33', /not an IPv4 range/],
      ['10.244.1.0/26/1', /not an IPv4 range/],
      ['fd00::/64', /not an IPv4 range/],
      ['10.244.1.1/26', /did you mean 10\.244\.1\.0\/26/],
      ['0.0.0.0/0', /larger than a \/8/],
    ];
    for (const [cidr, message] of wrong) assert.throws(() => parseRanges([cidr]), message);
  });

  it('finds overlaps by range, not by text', () => {
    assert.throws(
      () => parseRanges(['10.0.0.0/24', '10.1.0.0/24', '10.0.0.128/25']),
      /10\.0\.0\.0\/24 and 10\.0\.0\.128\/25 overlap/,
    );
    assert.throws(() => parseRanges(['10.0.0.0/24', '10.0.0.0/24']), /overlap/);
    assert.equal(parseRanges(['10.0.1.0/24', '10.0.0.0/24']).length, 2);
  });
});
