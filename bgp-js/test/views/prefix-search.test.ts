import assert from 'node:assert/strict';
import fc from 'fast-check';
import { IPAddress, IPPrefix } from '../../ip/index.ts';
import { FamilyRib } from '../../rib/family-rib.ts';
import { SourceTable } from '../../rib/source.ts';
import { AttributeTable } from '../../rib/store/attribute-table.ts';
import { drawHashKey } from '../../rib/store/hash-table.ts';
import { PrefixSearch } from '../../views/prefix-search.ts';
import { type Family, IPV4_UNICAST, IPV6_UNICAST } from '../../wire/families.ts';

const ribOf = (family: Family) =>
  new FamilyRib(family, new AttributeTable(drawHashKey(() => 0.5)), new SourceTable('local'));

/** Whether a search for `part` finds a prefix given as text. */
function finds(part: string, text: string, family = IPV4_UNICAST): boolean {
  const rib = ribOf(family);
  return new PrefixSearch(part).matches(rib, rib.prefixes.intern(family.parse(text)!, 0));
}

describe('PrefixSearch', () => {
  it('finds what a text holds, and nothing else', () => {
    for (const part of ['', '10', '0.1', '10.1.2.0/24', '/2', '.0/', '24']) {
      assert.equal(finds(part, '10.1.2.0/24'), true, part);
    }
    for (const part of ['10.1.2.0/241', '1.1', '/24.', 'a', ':', '10.1.2.0/24 and more than any has']) {
      assert.equal(finds(part, '10.1.2.0/24'), false, part);
    }
    assert.equal(finds('0.0.0.0/0', '0.0.0.0/0'), true);
    assert.equal(finds('255.255.255.255/32', '255.255.255.255/32'), true);
  });

  it('finds IPv6 prefixes', () => {
    assert.equal(finds('db8:3::/48', '2001:db8:3::/48', IPV6_UNICAST), true);
    assert.equal(finds('db8:4', '2001:db8:3::/48', IPV6_UNICAST), false);
  });

  it('finds every part of every IPv4 prefix, and agrees with its text about all others', () => {
    const rib = ribOf(IPV4_UNICAST);
    const prefix = fc
      .tuple(fc.nat(0xffffffff), fc.nat(32))
      .map(([address, length]) => IPPrefix.of(IPAddress.v4(address), length).toString());
    const property = fc.property(prefix, prefix, fc.nat(17), fc.nat(17), (one, another, from, length) => {
      const id = rib.prefixes.intern(IPV4_UNICAST.parse(one)!, 0);
      const text = rib.format(id);
      for (const part of [text.slice(from, from + length), another.slice(from, from + length)]) {
        assert.equal(new PrefixSearch(part).matches(rib, id), text.includes(part), `${part} in ${text}`);
      }
    });
    fc.assert(property, { numRuns: 2000 });
  });
});
