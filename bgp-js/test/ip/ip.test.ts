import assert from 'node:assert/strict';
import fc from 'fast-check';
import { IPAddress, IPPrefix, parseAddress, parseInterfaceAddress, parsePrefix } from '../../ip/index.ts';

const address = (text: string): IPAddress => parseAddress(text) ?? assert.fail(`${text} is an address`);
const prefix = (text: string): IPPrefix => parsePrefix(text) ?? assert.fail(`${text} is a prefix`);

const anyV4 = fc.nat(0xffffffff).map((value) => IPAddress.v4(value));
const word = fc.oneof(fc.constant(0), fc.nat(0xffffffff));
const anyV6 = fc.tuple(word, word, word, word).map((words) => IPAddress.v6(...words));
const anyPrefix = fc.oneof(
  fc.tuple(anyV4, fc.nat(32)).map(([first, length]) => IPPrefix.of(first, length)),
  fc.tuple(anyV6, fc.nat(128)).map(([first, length]) => IPPrefix.of(first, length)),
);

describe('addresses', () => {
  it('have one text', () => {
    for (const [text, canonical] of [
      ['10.0.0.1', '10.0.0.1'],
      ['255.255.255.255', '255.255.255.255'],
      ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['::', '::'],
      ['::ffff:10.0.0.1', '10.0.0.1'],
      ['fe80::1%eth0', 'fe80::1%eth0'],
      ['2001:db8::1%eth0', '2001:db8::1'],
    ]) {
      assert.equal(String(address(text)), canonical);
    }
  });

  it('are not read from anything else', () => {
    for (const text of [
      '',
      '10.0.0',
      '10.0.0.256',
      '010.0.0.1',
      '10.0.0.1 ',
      '10.0.0.1/32',
      '1::2::3',
      '::g',
      'fe80::1%',
      'fe80::1%a/b',
      'fe80::1%an-interface-name',
      `${'0'.repeat(80)}::1`,
    ]) {
      assert.equal(parseAddress(text), null, text);
    }
  });

  it('tell 0.0.0.0 from none', () => {
    assert.ok(address('0.0.0.0').isUnspecified);
    assert.ok(address('::').isUnspecified);
    assert.equal(parseAddress('none'), null);
  });

  it('survive text and octets', () => {
    fc.assert(
      fc.property(fc.oneof(anyV4, anyV6), (original) => {
        const read = IPAddress.read(original.toBytes(), 0, original.version);
        assert.ok(read.equals(original));
        assert.equal(read.key, original.key);
        const parsed = address(String(original));
        assert.ok(parsed.equals(original.unmapped()));
      }),
    );
  });

  it('count on with a carry', () => {
    assert.equal(String(address('10.0.0.255').plus(1)), '10.0.1.0');
    assert.equal(String(address('2001:db8::ffff:ffff').plus(1)), '2001:db8::1:0:0');
    assert.equal(String(address('2001:db8:0:0:ffff:ffff:ffff:ffff').plus(1)), '2001:db8:0:1::');
    assert.equal(String(address('255.255.255.255').plus(1)), '0.0.0.0');
  });

  it('are in order: IPv4 first, then by value', () => {
    const texts = ['9.0.0.0', '10.0.0.0', '200.0.0.0', '::1', '2001:db8::1', 'fe80::1%a', 'fe80::1%b'];
    const sorted = texts.toReversed().map(address);
    sorted.sort((a, b) => a.compare(b));
    assert.deepEqual(sorted.map(String), texts);
  });
});

describe('prefixes', () => {
  it('clear their host bits', () => {
    assert.equal(String(prefix('10.1.2.3/8')), '10.0.0.0/8');
    assert.equal(String(prefix('10.1.2.3/0')), '0.0.0.0/0');
    assert.equal(String(prefix('10.1.2.3')), '10.1.2.3/32');
    assert.equal(String(prefix('2001:db8:ffff::1/33')), '2001:db8:8000::/33');
  });

  it('are not read from anything else', () => {
    for (const text of [
      '10.0.0.0/33',
      '::/129',
      'fe80::%eth0/64',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '/8',
      '10/8',
    ]) {
      assert.equal(parsePrefix(text), null, text);
    }
  });

  it('keep their host bits as interface addresses', () => {
    const found = parseInterfaceAddress('10.1.2.3/8');
    assert.equal(`${found?.address}/${found?.length}`, '10.1.2.3/8');
    assert.equal(parseInterfaceAddress('10.1.2.3'), null);
  });

  it('survive text and NLRI', () => {
    fc.assert(
      fc.property(anyPrefix, (original) => {
        const read = IPPrefix.readNlri(original.toNlri(), 0, original.version);
        assert.ok(read.equals(original));
        assert.equal(read.key, original.key);
        if (!original.address.isMapped) assert.ok(prefix(String(original)).equals(original));
      }),
    );
  });

  it('hold their first and last address, and no neighbour', () => {
    fc.assert(
      fc.property(anyPrefix, (any) => {
        assert.ok(any.contains(any.address) && any.contains(any.last));
        if (any.length > 0) assert.ok(!any.contains(any.last.plus(1)));
      }),
    );
  });

  it('cover and overlap', () => {
    assert.ok(prefix('10.0.0.0/8').covers(prefix('10.1.0.0/16')));
    assert.ok(!prefix('10.1.0.0/16').covers(prefix('10.0.0.0/8')));
    assert.ok(prefix('10.1.0.0/16').overlaps(prefix('10.0.0.0/8')));
    assert.ok(!prefix('10.0.0.0/9').overlaps(prefix('10.128.0.0/9')));
    assert.ok(!prefix('::/0').covers(prefix('10.0.0.0/8')));
  });
});
