/** Errors of the message header (RFC 4271 §6.1). */
import assert from 'node:assert/strict';
import { decodeMessage, isError } from '../../wire/index.ts';
import { hex, MARKER, toHex } from './bytes.ts';

/** A message of `octets` octets whose length field is `length`. */
function framed(length: number, type: number, octets = length): Uint8Array {
  const bytes = new Uint8Array(Math.max(octets, 19));
  bytes.set(hex(MARKER));
  bytes[16] = length >> 8;
  bytes[17] = length & 255;
  bytes[18] = type;
  return bytes;
}

/** The error, the message, the NOTIFICATION's subcode and its data. */
const CASES: [string, Uint8Array, number, string][] = [
  ['marker of zeros', hex(`${'00'.repeat(16)} 0013 04`), 1, ''],
  ['marker with one bit missing at its end', hex(`${'ff'.repeat(15)}fe 0013 04`), 1, ''],
  ['length 0', framed(0, 4, 19), 2, '0000'],
  ['length 18', framed(18, 4, 19), 2, '0012'],
  ['length 4097', framed(4097, 2), 2, '1001'],
  ['length 65535', framed(65535, 2), 2, 'ffff'],
  ['OPEN of 28 octets', framed(28, 1), 2, '001c'],
  ['UPDATE of 22 octets', framed(22, 2), 2, '0016'],
  ['NOTIFICATION of 20 octets (which is not answered)', framed(20, 3), 2, ''],
  ['KEEPALIVE of 20 octets', framed(20, 4), 2, '0014'],
  ['type 0', framed(19, 0), 3, '00'],
  ['type 6 (dynamic capability, not negotiated)', framed(19, 6), 3, '06'],
  ['type 255', framed(19, 255), 3, 'ff'],
  ['bad length and bad type: the length is reported', framed(18, 9, 19), 2, '0012'],
];

describe('header errors', () => {
  for (const [title, bytes, subcode, data] of CASES) {
    it(`${title} is error 1/${subcode}`, () => {
      const error = decodeMessage(bytes);
      assert.ok(isError(error));
      assert.deepEqual(
        [error.code, error.subcode, toHex(error.data), error.handling],
        [1, subcode, data, 'reset'],
      );
    });
  }

  it('leave messages of up to 65,535 octets alone where the caller accepts them (RFC 8654)', () => {
    const bytes = framed(65535, 2);
    assert.ok(!isError(decodeMessage(bytes, 65535)));
  });

  it('for a short ROUTE-REFRESH are 7/1 with the message as data (RFC 7313)', () => {
    for (const length of [19, 20, 22]) {
      const bytes = framed(length, 5);
      const error = decodeMessage(bytes);
      assert.ok(isError(error));
      assert.deepEqual([error.code, error.subcode, toHex(error.data)], [7, 1, toHex(bytes)]);
    }
  });

  it('do not include an ORF after a ROUTE-REFRESH, truncated or not', () => {
    const result = decodeMessage(Uint8Array.of(...framed(26, 5, 19), ...hex('0001 00 01 01 40 ff')));
    assert.deepEqual(result, { type: 'route-refresh', refresh: { afi: 1, subtype: 0, safi: 1 } });
  });
});
