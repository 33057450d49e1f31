import assert from 'node:assert/strict';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import {
  addressOrder,
  canonicalAddress,
  formatIPv6,
  inRange,
  parseAddress,
  parseIPv6,
  parseRange,
} from 'bgp-js';
import fc from 'fast-check';

/** Text, and its one form; null: not an address. */
const CASES: [string, string | null][] = [
  ['10.0.0.1', '10.0.0.1'],
  ['010.0.0.1', null],
  ['::', '::'],
  ['::1', '::1'],
  ['2001:DB8::1', '2001:db8::1'],
  ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  ['FE80::1', 'fe80::1'],
  ['2001:db8::1%eth0', '2001:db8::1'],
  ['fe80::1%', null],
  ['fe80::1%../x', null],
  ['fe80::1%eth0%eth1', null],
  ['10.0.0.1%eth0', null],
  ['1:2:3:4:5:6:7', null],
  ['1:2:3:4:5:6:7:8:9', null],
  ['1:2:3:4:5:6:7::8', null],
  ['1::2::3', null],
  [':1', null],
  ['1:', null],
  ['12345::', null],
  ['::1.2.3.4:5', null],
  ['', null],
];

describe('addresses', () => {
  for (const [text, canonical] of CASES) {
    it(`${text || 'nothing'} is ${canonical ?? 'refused'}`, () => {
      assert.equal(canonicalAddress(text), canonical);
    });
  }

  it('every IPv6 address comes back from its text, which Node reads the same', () => {
    const octets = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const sparse = fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(
        fc.oneof(
          octets,
          sparse.map((octets) => Uint8Array.from(octets)),
        ),
        (bytes) => {
          const text = formatIPv6(bytes);
          assert.deepEqual(parseIPv6(text), bytes);
          // Node writes some prefixes of IPv4 in dotted form: compare those by value.
          const { address } = new SocketAddress({ address: text, family: 'ipv6' });
          assert.ok(
            address === text || address.includes('.') || text.includes('.'),
            `${text}, Node writes ${address}`,
          );
        },
      ),
    );
  });

  it('any text is an address for us just when it is one for Node', () => {
    const characters = fc.constantFrom(...'0123456789abcdefF:.:');
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 40 }), (text) => {
        assert.equal(parseAddress(text) !== null, isIPv4(text) || isIPv6(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('are ordered by value, IPv4 before IPv6', () => {
    const ordered = [
      '9.0.0.1',
      '10.0.0.1',
      '255.255.255.255',
      '::',
      '2001:db8::2',
      '2001:db8::10',
      'fe80::1%a',
    ];
    const sorted = ordered.toReversed().sort((a, b) => (addressOrder(a) < addressOrder(b) ? -1 : 1));
    assert.deepEqual(sorted, ordered);
    assert.equal(new Set(ordered.map(addressOrder)).size, ordered.length);
  });

  it('ranges of both families hold what they should', () => {
    const holds = (range: string, address: string): boolean => {
      const [left, right] = [parseRange(range), parseAddress(address)];
      assert.ok(left && right);
      return inRange(left, right);
    };
    assert.ok(holds('10.0.0.0/8', '10.255.0.1'));
    assert.ok(!holds('10.0.0.0/9', '10.255.0.1'));
    assert.ok(holds('0.0.0.0/0', '10.255.0.1') && !holds('0.0.0.0/0', '::1'));
    assert.ok(holds('2001:db8:0:fff0::/60', '2001:db8:0:ffff::1'));
    assert.ok(!holds('2001:db8:0:fff0::/60', '2001:db8:0:ffe0::1'));
    assert.ok(holds('fe80::/10', 'fe80::1%eth0') && !holds('::/0', '10.0.0.1'));
    for (const bad of ['10.0.0.0', '10.0.0.0/33', '::/129', '::/', '::/8/8', 'fe80::1%eth0/64']) {
      assert.equal(parseRange(bad), null, bad);
    }
  });
});
