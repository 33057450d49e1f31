import assert from 'node:assert/strict';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import fc from 'fast-check';
import {
  addressFrom,
  IPAddress,
  IPPrefix,
  parseAddress,
  parseInterfaceAddress,
  parsePrefix,
  prefixFrom,
} from '../../ip/index.ts';
import { ip } from './values.ts';

const prefix = (text: string): IPPrefix => parsePrefix(text) ?? assert.fail(`${text} is a prefix`);

const anyV4 = fc.nat(0xffffffff).map((value) => IPAddress.v4(value));
const word = fc.oneof(fc.constant(0), fc.nat(0xffffffff));
const anyV6 = fc.tuple(word, word, word, word).map((words) => IPAddress.v6(...words));
const anyPrefix = fc.oneof(
  fc.tuple(anyV4, fc.nat(32)).map(([first, length]) => IPPrefix.of(first, length)),
  fc.tuple(anyV6, fc.nat(128)).map(([first, length]) => IPPrefix.of(first, length)),
);

describe('IPAddress', () => {
  it('has one text', () => {
    for (const [text, canonical] of [
      ['10.0.0.1', '10.0.0.1'],
      ['255.255.255.255', '255.255.255.255'],
      ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['::', '::'],
      ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
      ['FE80::1', 'fe80::1'],
      ['::ffff:10.0.0.1', '10.0.0.1'],
      ['fe80::1%eth0', 'fe80::1%eth0'],
      ['2001:db8::1%eth0', '2001:db8::1'],
    ]) {
      assert.equal(String(ip(text)), canonical);
    }
  });

  it('is not read from other text', () => {
    for (const text of [
      '',
      '10.0.0',
      '10.0.0.256',
      '010.0.0.1',
      '10.0.0.1 ',
      '10.0.0.1/32',
      '1::2::3',
      '::g',
      '1.2.3.04',
      '0x0a.0.0.1',
      '1e1.0.0.0',
      '-1.0.0.0',
      ' 10.0.0.1',
      '10.0.0.1\n',
      '10.0.0.1%eth0',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7::8',
      '12345::',
      ':1',
      '1:',
      '::1.2.3.4:5',
      'fe80::1%eth0%eth1',
      'fe80::1%',
      'fe80::1%a/b',
      'fe80::1%an-interface-name',
      `${'0'.repeat(80)}::1`,
    ]) {
      assert.equal(parseAddress(text), null, text);
    }
  });

  it('differs from "no address" when it is 0.0.0.0', () => {
    assert.ok(ip('0.0.0.0').isUnspecified);
    assert.ok(ip('::').isUnspecified);
    assert.equal(parseAddress('none'), null);
  });

  it('comes back from its text and octets', () => {
    fc.assert(
      fc.property(fc.oneof(anyV4, anyV6), (original) => {
        const read = IPAddress.read(original.toBytes(), 0, original.version);
        assert.ok(read.equals(original));
        assert.equal(read.key, original.key);
        const parsed = ip(String(original));
        assert.ok(parsed.equals(original.unmapped()));
      }),
    );
  });

  it('adds with a carry', () => {
    assert.equal(String(ip('10.0.0.255').plus(1)), '10.0.1.0');
    assert.equal(String(ip('2001:db8::ffff:ffff').plus(1)), '2001:db8::1:0:0');
    assert.equal(String(ip('2001:db8:0:0:ffff:ffff:ffff:ffff').plus(1)), '2001:db8:0:1::');
    assert.equal(String(ip('255.255.255.255').plus(1)), '0.0.0.0');
  });

  it('is ordered with IPv4 first, then by value', () => {
    const texts = ['9.0.0.0', '10.0.0.0', '200.0.0.0', '::1', '2001:db8::1', 'fe80::1%a', 'fe80::1%b'];
    const sorted = texts.toReversed().map(ip);
    sorted.sort((a, b) => a.compare(b));
    assert.deepEqual(sorted.map(String), texts);
  });

  it('is read from the same texts as by Node', () => {
    const characters = fc.constantFrom(...'0123456789abcdefF:.:');
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 40 }), (text) => {
        assert.equal(parseAddress(text) !== null, isIPv4(text) || isIPv6(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('of IPv6 is written as by Node', () => {
    fc.assert(
      fc.property(anyV6, (original) => {
        const text = String(original);
        // Node writes the addresses of some prefixes with dotted decimal at the end.
        const { address } = new SocketAddress({ address: text, family: 'ipv6' });
        assert.ok(address === text || address.includes('.'), `${text}, Node writes ${address}`);
      }),
    );
  });

  it('has a mapped form', () => {
    assert.ok(ip('10.0.0.1').mapped().isMapped);
    assert.ok(ip('10.0.0.1').mapped().unmapped().equals(ip('10.0.0.1')));
    assert.ok(ip('2001:db8::1').mapped().equals(ip('2001:db8::1')));
  });

  it('is asked for by name where a caller gives text that is not one', () => {
    assert.equal(addressFrom('10.0.0.1', 'address').value, 0x0a000001);
    assert.equal(addressFrom(ip('::1'), 'address').toString(), '::1');
    assert.throws(
      () => addressFrom('tor', 'address'),
      /^RangeError: address: "tor" is not an IP address; write/,
    );
  });
});

describe('IPPrefix', () => {
  it('clears its host bits', () => {
    assert.equal(String(prefix('10.1.2.3/8')), '10.0.0.0/8');
    assert.equal(String(prefix('10.1.2.3/0')), '0.0.0.0/0');
    assert.equal(String(prefix('10.1.2.3')), '10.1.2.3/32');
    assert.equal(String(prefix('2001:db8:ffff::1/33')), '2001:db8:8000::/33');
  });

  it('is not read from other text', () => {
    for (const text of [
      '10.0.0.0/33',
      '::/129',
      'fe80::%eth0/64',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '/8',
      '10/8',
      '10.0.0/8',
      '10.0.0.0/-1',
      '10.0.0.0/a',
      '::/',
    ]) {
      assert.equal(parsePrefix(text), null, text);
    }
  });

  it('keeps the host bits of an interface address', () => {
    const found = parseInterfaceAddress('10.1.2.3/8');
    assert.equal(`${found?.address}/${found?.length}`, '10.1.2.3/8');
    assert.equal(parseInterfaceAddress('10.1.2.3'), null);
  });

  it('comes back from its text and NLRI', () => {
    fc.assert(
      fc.property(anyPrefix, (original) => {
        const read = IPPrefix.readNlri(original.toNlri(), 0, original.version);
        assert.ok(read.equals(original));
        assert.equal(read.key, original.key);
        if (!original.address.isMapped) assert.ok(prefix(String(original)).equals(original));
      }),
    );
  });

  it('contains its first and last address, and no neighbour', () => {
    fc.assert(
      fc.property(anyPrefix, (any) => {
        assert.ok(any.contains(any.address) && any.contains(any.last));
        if (any.length > 0) assert.ok(!any.contains(any.last.plus(1)));
      }),
    );
  });

  it('covers and overlaps', () => {
    assert.ok(prefix('10.0.0.0/8').covers(prefix('10.1.0.0/16')));
    assert.ok(!prefix('10.1.0.0/16').covers(prefix('10.0.0.0/8')));
    assert.ok(prefix('10.1.0.0/16').overlaps(prefix('10.0.0.0/8')));
    assert.ok(!prefix('10.0.0.0/9').overlaps(prefix('10.128.0.0/9')));
    assert.ok(!prefix('::/0').covers(prefix('10.0.0.0/8')));
  });

  it('is asked for by name where a caller gives text that is not one', () => {
    assert.equal(prefixFrom('10.0.0.1/8', 'range').toString(), '10.0.0.0/8');
    assert.throws(
      () => prefixFrom('10.0.0.1', 'range'),
      /^RangeError: range: "10.0.0.1" is not a prefix; write/,
    );
  });
});
