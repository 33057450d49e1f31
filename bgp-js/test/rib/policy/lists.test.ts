/** Prefix lists and community patterns. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  communityMatches,
  isExact,
  looksLikeCommunity,
  parseCommunityPattern,
} from '../../../rib/policy/community-pattern.ts';
import { PrefixList } from '../../../rib/policy/prefix-list.ts';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../wire/families.ts';

function has(entries: readonly string[], prefix: string): boolean {
  const list = new PrefixList();
  for (const entry of entries) list.add(entry);
  const family = prefix.includes(':') ? IPV6_UNICAST : IPV4_UNICAST;
  const nlri = family.parse(prefix);
  assert.ok(nlri);
  return list.has(family.bits, nlri, 0);
}

describe('prefix lists', () => {
  const table: [string[], string, boolean][] = [
    [['10.0.0.0/8'], '10.0.0.0/8', true],
    [['10.0.0.0/8'], '10.1.0.0/16', false],
    [['10.0.0.0/8 le 24'], '10.1.0.0/16', true],
    [['10.0.0.0/8 le 24'], '10.1.1.0/25', false],
    [['10.0.0.0/8 ge 24'], '10.1.1.0/24', true],
    [['10.0.0.0/8 ge 24'], '10.1.1.1/32', true],
    [['10.0.0.0/8 ge 24'], '10.0.0.0/8', false],
    [['10.0.0.0/8 ge 16 le 24'], '10.1.1.0/24', true],
    [['10.0.0.0/8 ge 16 le 24'], '11.1.1.0/24', false],
    [['0.0.0.0/0'], '0.0.0.0/0', true],
    [['0.0.0.0/0 le 32'], '198.51.100.1/32', true],
    [['10.0.0.0/8', '192.0.2.0/24'], '192.0.2.0/24', true],
    [['2001:db8::/32 le 48'], '2001:db8:1::/48', true],
    [['2001:db8::/32 le 48'], '2001:db9::/48', false],
    [['0.0.0.0/0 le 32'], '2001:db8::/32', false],
    [[], '10.0.0.0/8', false],
  ];
  for (const [entries, prefix, expected] of table) {
    it(`[${entries.join(', ')}] ${expected ? 'matches' : 'does not match'} ${prefix}`, () => {
      assert.equal(has(entries, prefix), expected);
    });
  }

  it('match what their definition says, for any entries', () => {
    const prefix = fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 8 }));
    const mask = ([bits, length]: [number, number]): [number, number] => [
      ((bits << 4) >> (8 - length)) << (8 - length),
      length,
    ];
    const entry = fc.tuple(prefix.map(mask), fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }));
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 6 }), prefix.map(mask), (entries, [octet, length]) => {
        const valid = entries.filter(([[, bits], ge, le]) => ge >= bits && ge <= le);
        const texts = valid.map(([[address, bits], ge, le]) => `${address}.0.0.0/${bits} ge ${ge} le ${le}`);
        const expected = valid.some(
          ([[address, bits], ge, le]) =>
            length >= ge && length <= le && octet >> (8 - bits) === address >> (8 - bits),
        );
        assert.equal(has(texts, `${octet}.0.0.0/${length}`), expected);
      }),
    );
  });

  const errors: [string, RegExp][] = [
    ['10.0.0.1/8', /bits set beyond its length; write 10\.0\.0\.0\/8/],
    ['ten/8', /"ten\/8" is not a prefix/],
    ['10.0.0.0/8 le 7', /"le" needs a number from 8 to 32/],
    ['10.0.0.0/8 ge 33', /"ge" needs a number from 8 to 32/],
    ['10.0.0.0/8 ge 24 le 16', /ge 24 is greater than le 16/],
    ['10.0.0.0/8 up 9', /"up" is not expected here/],
    ['10.0.0.0/8 le', /"le" needs a number/],
    ['10.0.0.0/8 le 9 le 10', /"le" is not expected here/],
  ];
  for (const [entry, expected] of errors) {
    it(`${entry} is refused with ${expected.source}`, () => {
      assert.throws(() => new PrefixList().add(entry), expected);
    });
  }
});

describe('community patterns', () => {
  const table: [string, string, boolean][] = [
    ['65001:100', '65001:100', true],
    ['65001:100', '65001:101', false],
    ['65001:*', '65001:101', true],
    ['*:100', '65001:100', true],
    ['*:100', '65001:101', false],
    ['65001:*', '65002:100', false],
    ['no-export', '65535:65281', true],
    ['1:2:3', '1:2:3', true],
    ['1:*:*', '1:9:4294967295', true],
    ['1:*:3', '1:9:4', false],
    ['rt:65001:100', 'rt:65001:100', true],
    ['rt:65001:*', 'rt:65001:4294967295', true],
    ['rt:65001:*', 'soo:65001:1', false],
    ['rt:100000:*', 'rt:100000:7', true],
    ['rt:10.0.0.1:*', 'rt:10.0.0.1:7', true],
    ['rt:10.0.0.1:*', 'rt:10.0.0.2:7', false],
    ['0x4300000000000064', '0x4300000000000064', true],
    ['rt:[2001:db8::1]:*', 'rt:[2001:db8::1]:7', true],
    ['65001:100', '65001:100:0', false],
  ];
  for (const [text, community, expected] of table) {
    it(`${text} ${expected ? 'matches' : 'does not match'} ${community}`, () => {
      const pattern = parseCommunityPattern(text);
      const { attribute, value } = parseCommunityPattern(community);
      assert.equal(pattern.attribute === attribute && communityMatches(pattern, value, 0), expected);
      assert.equal(isExact(pattern), !text.includes('*'));
      assert.ok(looksLikeCommunity(text));
    });
  }

  for (const text of ['65001', '65001:65536', '65001:1*', 'rt:*:1', 'rt:65001', '1:2:3:4', 'a:b', '']) {
    it(`${JSON.stringify(text)} is not a community`, () => {
      assert.throws(() => parseCommunityPattern(text), SyntaxError);
    });
  }
});
