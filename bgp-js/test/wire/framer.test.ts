/** The framer finds the same messages however TCP splits the stream. */
import assert from 'node:assert/strict';
import { encodeMessage, Framer, KEEPALIVE, type Message } from '../../wire/index.ts';
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
