/** The framer, which finds the same messages however TCP splits the stream, and the errors of headers (RFC 4271 §6.1). */
import assert from 'node:assert/strict';
import { decodeMessage, encodeMessage, Framer, isError, KEEPALIVE, type Message } from '../../wire/index.ts';
import { hex, MARKER, toHex, update } from './bytes.ts';

const MESSAGES: Uint8Array[] = [
  encodeMessage({
    type: 'open',
    open: { version: 4, as: 1, holdTime: 90, identifier: 9, capabilities: [] },
  }),
  KEEPALIVE,
  update('', '400101 00 400200 400304 0a000002', '1a 0af40100'),
  update('1a 0af40100', '', ''),
  encodeMessage({ type: 'route-refresh', refresh: { afi: 1, subtype: 0, safi: 1 } } as Message),
  encodeMessage({ type: 'notification', notification: { code: 6, subcode: 2, data: hex('') } }),
];
const STREAM = Uint8Array.from(Buffer.concat(MESSAGES));

/** All whole messages; the last entry is the error, if there is one. */
function take(framer: Framer): { messages: string[]; error: string | null } {
  const messages: string[] = [];
  for (;;) {
    const ready = framer.ready;
    const at = framer.next();
    if (typeof at !== 'number') {
      assert.ok(ready, 'an error is announced by `ready`');
      return { messages, error: `${at.code}/${at.subcode}` };
    }
    assert.equal(ready, at !== -1, '`ready` says what `next` does');
    if (at === -1) return { messages, error: null };
    const length = framer.bytes[at + 16] * 256 + framer.bytes[at + 17];
    messages.push(toHex(framer.bytes.subarray(at, at + length)));
  }
}

const EXPECTED = MESSAGES.map(toHex);

describe('Framer', () => {
  it('finds many messages in one chunk', () => {
    const framer = new Framer();
    framer.push(STREAM.slice());
    assert.deepEqual(take(framer), { messages: EXPECTED, error: null });
    assert.equal(framer.pending, 0);
  });

  it('finds them when every octet arrives alone', () => {
    const framer = new Framer();
    const found: string[] = [];
    for (const octet of STREAM) {
      framer.push(Uint8Array.of(octet));
      found.push(...take(framer).messages);
    }
    assert.deepEqual(found, EXPECTED);
  });

  it('finds them when the stream is split in two, at every octet', () => {
    for (let at = 0; at <= STREAM.length; at++) {
      const framer = new Framer();
      framer.push(STREAM.slice(0, at));
      const first = take(framer).messages;
      framer.push(STREAM.slice(at));
      assert.deepEqual([...first, ...take(framer).messages], EXPECTED, `split at ${at}`);
    }
  });

  it('finds them when several chunks arrive before the first is read', () => {
    const framer = new Framer();
    for (let at = 0; at < STREAM.length; at += 7) framer.push(STREAM.slice(at, at + 7));
    assert.deepEqual(take(framer).messages, EXPECTED);
  });

  it('accepts a message of 4,096 octets and refuses one of 4,097', () => {
    const framer = new Framer();
    framer.push(update('', '', `${'20 0a000001'.repeat(814)} 10 0a01`));
    framer.push(hex(`${MARKER} 1001 02`));
    const { messages, error } = take(framer);
    assert.deepEqual([messages.length, messages[0].length / 2, error], [1, 4096, '1/2']);
  });

  it('accepts longer ones once they are negotiated (RFC 8654)', () => {
    const framer = new Framer();
    framer.maxLength = 65535;
    const long = update('', '', '20 0a000001'.repeat(5000));
    framer.push(long.slice(0, 9999));
    assert.equal(framer.next(), -1);
    framer.push(long.slice(9999));
    assert.equal(take(framer).messages.length, 1);
  });

  it('reports an invalid header once it is complete, again and again', () => {
    const broken: [string, string][] = [
      ['a marker', `00${MARKER.slice(2)} 0fff 02`],
      ['a type', `${MARKER} 0fff 09`],
      ['a length', `${MARKER} 0012 02`],
    ];
    for (const [what, header] of broken) {
      const framer = new Framer();
      framer.push(hex(header).slice(0, 18));
      assert.equal(framer.ready, false, `${what}: 18 octets are not a header`);
      framer.push(hex(header).slice(18));
      assert.notEqual(take(framer).error, null, what);
      framer.push(STREAM.slice());
      assert.notEqual(take(framer).error, null, `${what}: nothing after it is read`);
    }
  });

  it('holds at most a small multiple of the pending octets', () => {
    const framer = new Framer();
    const big = update('', '', `${'20 0a000001'.repeat(814)} 10 0a01`);
    let rest: Uint8Array = new Uint8Array(0);
    for (let round = 0; round < 2000; round++) {
      // Each chunk ends within a message, so that octets are always left over.
      const chunk = Uint8Array.from(Buffer.concat([rest, big.subarray(0, 2000)]));
      rest = big.slice(2000);
      framer.push(chunk);
      take(framer);
      assert.ok(framer.bytes.length <= 8 * 4096, `round ${round}: a buffer of ${framer.bytes.length}`);
    }
    assert.equal(framer.pending, 2000);
  });
});

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
