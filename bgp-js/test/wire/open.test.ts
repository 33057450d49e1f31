/** The optional parameters of OPEN: RFC 4271 §4.2, RFC 5492, the extended form of RFC 9072. */
import assert from 'node:assert/strict';
import { capabilityNames, interpretCapabilities } from '../../wire/capability.ts';
import {
  type BgpError,
  decodeMessage,
  IPV4_UNICAST,
  isError,
  type OpenMessage,
  type RawCapability,
} from '../../wire/index.ts';
import { hex, message } from './bytes.ts';

/** An OPEN with these octets from the length of the optional parameters on. */
function open(parameters: string, version = '04'): OpenMessage | BgpError {
  const result = decodeMessage(message(1, `${version} fde9 005a 0a0000fe ${parameters}`));
  if (isError(result)) return result;
  assert.equal(result.type, 'open');
  return result.open;
}

function codes(result: OpenMessage | BgpError): number[] {
  assert.ok(!isError(result), 'the OPEN is well-formed');
  return result.capabilities.map(({ code }) => code);
}

describe('OPEN', () => {
  const REFRESH = '02 00';
  const AS4 = '41 04 0000fde9';

  const GOOD: [string, string, number[]][] = [
    ['capabilities in one parameter', `0a 02 08 ${REFRESH} ${AS4}`, [2, 65]],
    ['one capability a parameter', `0c 02 02 ${REFRESH} 02 06 ${AS4}`, [2, 65]],
    ['an empty parameter', '02 02 00', []],
    ['unknown and repeated capabilities', '08 02 06 fa 00 fa 00 02 00', [250, 250, 2]],
    ['a software version of length 0', '04 02 02 4b 00', [75]],
    ['the extended form (RFC 9072)', `ff ff 000b 02 0008 ${REFRESH} ${AS4}`, [2, 65]],
    ['the extended form with a length octet that is not 255', `04 ff 0005 02 0002 ${REFRESH}`, [2]],
    ['the extended form without parameters', 'ff ff 0000', []],
  ];
  for (const [title, parameters, expected] of GOOD) {
    it(`accepts ${title}`, () => assert.deepEqual(codes(open(parameters)), expected));
  }

  it('accepts an extended parameter of more than 255 octets', () => {
    const version = `4b ff ${'61'.repeat(255)}`;
    assert.deepEqual(codes(open(`ff ff 0106 02 0103 ${REFRESH} ${version}`)), [2, 75]);
  });

  const BAD: [string, string, number][] = [
    ['an unknown optional parameter', '02 09 00', 4],
    ['authentication, the deprecated parameter 1', '03 01 01 00', 4],
    ['a total length that runs past the message', '05 02 02 02 00', 0],
    ['a parameter that runs past the total', '04 02 03 02 00', 0],
    ['a parameter cut in its header', '01 02', 0],
    ['a capability that runs past its parameter', '04 02 02 41 04', 0],
    ['a capability that would reach into the next parameter', `08 02 02 41 04 02 02 ${REFRESH}`, 0],
    ['a capability cut in its header', '03 02 01 41', 0],
    ['the extended form cut in its length', 'ff ff 00', 0],
    ['the extended form with a total that runs past the message', `ff ff 0009 02 0002 ${REFRESH}`, 0],
    ['an extended parameter that runs past the total', `ff ff 0005 02 0003 ${REFRESH}`, 0],
    ['an extended parameter cut in its header', 'ff ff 0002 02 00', 0],
  ];
  for (const [title, parameters, subcode] of BAD) {
    it(`answers ${title} with 2/${subcode}`, () => {
      const result = open(parameters);
      assert.ok(isError(result));
      assert.deepEqual([result.code, result.subcode, result.handling], [2, subcode, 'reset']);
    });
  }

  it('does not read the parameters of another version', () => {
    const result = open('ff 09 09', '05');
    assert.ok(!isError(result));
    assert.deepEqual([result.version, result.capabilities], [5, []]);
  });
});

describe('capabilities', () => {
  const list = (...entries: [number, string][]): RawCapability[] =>
    entries.map(([code, value]) => ({ code, value: hex(value) }));

  const meaning = (raw: RawCapability[]) => {
    const result = interpretCapabilities(raw);
    assert.ok(!isError(result));
    return {
      families: result.families.map(({ name }) => name),
      refresh: result.routeRefresh,
      as: result.fourOctetAs,
    };
  };

  it('default to IPv4 unicast and two-octet AS numbers', () => {
    assert.deepEqual(meaning([]), { families: [IPV4_UNICAST.name], refresh: false, as: null });
  });

  it('list each known family once', () => {
    const raw = list([1, '0001 00 01'], [1, '0001 ff 01'], [1, '4004 00 47']);
    assert.deepEqual(meaning(raw).families, ['ipv4-unicast']);
  });

  it('do not include IPv4 unicast when only other families are named (RFC 4760 §8)', () => {
    assert.deepEqual(meaning(list([1, '4004 00 47'])).families, []);
  });

  it('ignore a multiprotocol capability of a wrong length', () => {
    assert.deepEqual(meaning(list([1, '4004 00'], [1, ''])).families, ['ipv4-unicast']);
  });

  it('use the first of two four-octet AS numbers', () => {
    assert.equal(meaning(list([65, '0000fde9'], [65, '0000fdea'])).as, 65001);
  });

  for (const value of ['', '00fde9', '0000fde900']) {
    it(`a four-octet AS of ${value.length / 2} octets is error 2/0`, () => {
      const result = interpretCapabilities(list([65, value]));
      assert.ok(isError(result));
      assert.deepEqual([result.code, result.subcode], [2, 0]);
    });
  }

  it('ignore graceful restart of a wrong length', () => {
    for (let length = 0; length < 12; length++) {
      assert.ok(!isError(interpretCapabilities(list([64, '00'.repeat(length)], [71, '00'.repeat(length)]))));
    }
  });

  it('have names, each listed once', () => {
    const raw = list([1, '0001 00 01'], [1, '4004 00 47'], [2, ''], [2, ''], [65, '00000001'], [200, '']);
    const expected = [
      'ipv4-unicast',
      'AFI 16388 SAFI 71',
      'route refresh',
      'four-octet AS',
      'capability 200',
    ];
    assert.deepEqual(capabilityNames(raw), expected);
  });
});
