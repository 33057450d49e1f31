/** The configuration of a speaker, from the options of the library's user. */
import assert from 'node:assert/strict';
import { peerConfig } from '../../index.ts';
import { speakerConfig } from '../../speaker/speaker-types.ts';
import { ip, prefix } from '../ip/values.ts';

describe('speakerConfig', () => {
  it('reads addresses from text, and takes them as values', () => {
    const values = { as: 1, routerId: ip('10.0.0.1'), address: ip('10.0.0.2'), address6: ip('2001:db8::1') };
    const texts = { as: 1, routerId: '10.0.0.1', address: '10.0.0.2', address6: '2001:db8::1' };
    assert.deepEqual(speakerConfig(texts), speakerConfig(values));
    assert.deepEqual(speakerConfig(values), {
      ...values,
      clusterId: null,
      maximumPaths: 1,
      restarted: false,
    });
  });

  it('has no address for an unspecified one of either family', () => {
    for (const unspecified of ['0.0.0.0', '::', null, undefined]) {
      const config = speakerConfig({
        as: 1,
        routerId: '10.0.0.1',
        address: unspecified,
        address6: unspecified,
      });
      assert.deepEqual([config.address, config.address6], [null, null]);
    }
  });

  const BAD: [string, object, RegExp][] = [
    ['an identifier that is not an address', { routerId: 'rr' }, /^routerId: "rr" is not an IP address/],
    ['an identifier of IPv6', { routerId: '2001:db8::1' }, /^routerId: 2001:db8::1 is not an IPv4 address/],
    ['the identifier 0.0.0.0', { routerId: '0.0.0.0' }, /^routerId: 0.0.0.0 is not a BGP identifier/],
    ['a cluster id of IPv6', { clusterId: '2001:db8::1' }, /^clusterId: 2001:db8::1 is not an IPv4 address/],
    ['an IPv6 address as that of IPv4', { address: '2001:db8::1' }, /^address: .* is not an IPv4 address/],
    ['an IPv4 address as that of IPv6', { address6: '10.0.0.1' }, /^address6: .* is not an IPv6 address/],
  ];
  for (const [title, fields, message] of BAD) {
    it(`refuses ${title}`, () => {
      assert.throws(() => speakerConfig({ as: 1, routerId: '10.0.0.1', ...fields }), {
        name: 'RangeError',
        message,
      });
    });
  }
});

describe('peerConfig', () => {
  it('reads addresses and ranges from text, and takes them as values', () => {
    const texts = { as: 1, address: '2001:DB8::1', transport: { localAddress: '10.0.0.1', ttl: 3 } };
    const values = { as: 1, address: ip('2001:db8::1'), transport: { localAddress: ip('10.0.0.1'), ttl: 3 } };
    assert.deepEqual(peerConfig(texts), peerConfig(values));
    assert.equal(peerConfig(texts).name, '2001:db8::1');
    const range = peerConfig({ as: 1, range: '10.0.0.0/24' });
    assert.deepEqual(range.range, prefix('10.0.0.0/24'));
    assert.ok(range.passive, 'the peers of a range connect to us');
  });

  it('names the option whose text is not an address', () => {
    assert.throws(
      () => peerConfig({ as: 1, address: 'tor' }),
      /^RangeError: address: "tor" is not an IP address/,
    );
    assert.throws(
      () => peerConfig({ as: 1, range: '10.0.0.0' }),
      /^RangeError: range: "10.0.0.0" is not a prefix/,
    );
    const transport = { localAddress: 'here' };
    assert.throws(
      () => peerConfig({ as: 1, transport }),
      /^RangeError: transport.localAddress: "here" is not/,
    );
  });
});
