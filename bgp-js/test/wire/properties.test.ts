/**
 * Properties for arbitrary octets: decoding undoes encoding, nothing throws or reads past the end, and the messages of a
 * stream do not depend on where it is split. A failing case is printed with the seed that repeats it.
 */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatIPv4 } from '../../ip/index.ts';
import { checkMandatory, scanAttributes } from '../../wire/attribute-scan.ts';
import { eachAttribute } from '../../wire/attribute-types.ts';
import { interpretCapabilities } from '../../wire/capability.ts';
import {
  type AsSegment,
  type Attributes,
  decodeAttributes,
  decodeMessage,
  describeNotification,
  encodeAttributes,
  encodeMessage,
  Framer,
  isError,
  type Message,
  shutdownData,
  shutdownMessage,
} from '../../wire/index.ts';
import { AttributeScan } from '../../wire/scan-result.ts';
import { storedForm } from '../../wire/stored-form.ts';
import { message, toHex } from './bytes.ts';

/** Objects with a prototype, as the codec makes them, for deepEqual. */
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true });

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

const openMessage: fc.Arbitrary<Message> = record({
  version: fc.constant(4),
  as: u16,
  holdTime: u16,
  identifier: u32,
  capabilities: fc.array(record({ code: u8, value: bytes(255) }), { maxLength: 12 }),
}).map((open) => ({ type: 'open', open }));

const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  openMessage,
  record({
    type: fc.constant('update' as const),
    withdrawn: bytes(1300),
    attributes: bytes(1300),
    nlri: bytes(1300),
  }),
  record({ code: u8, subcode: u8, data: bytes(4075) }).map((notification) => ({
    type: 'notification' as const,
    notification,
  })),
  fc.constant({ type: 'keepalive' as const }),
  record({ afi: u16, subtype: u8, safi: u8 }).map((refresh) => ({ type: 'route-refresh' as const, refresh })),
);

const segment: fc.Arbitrary<AsSegment> = record({
  type: fc.constantFrom('sequence' as const, 'set' as const),
  ases: fc.array(fc.integer({ min: 1, max: 0xffffffff }), { minLength: 1, maxLength: 30 }),
});
const address = u32.map(formatIPv4);
const attributes: fc.Arbitrary<Attributes> = fc.record(
  {
    origin: fc.constantFrom('IGP' as const, 'EGP' as const, 'incomplete' as const),
    asPath: fc.array(segment, { maxLength: 4 }),
    nextHop: fc.integer({ min: 0x01000000, max: 0x7effffff }).map(formatIPv4),
    med: u32,
    localPref: u32,
    atomicAggregate: fc.constant(true),
    aggregator: record({ as: fc.integer({ min: 1, max: 0xffffffff }), address }),
    communities: fc.array(u32, { minLength: 1, maxLength: 80 }),
    originatorId: address,
    clusterList: fc.array(address, { minLength: 1, maxLength: 9 }),
  },
  { requiredKeys: ['origin', 'asPath'], noNullPrototype: true },
);

const CONTEXTS = [true, false].flatMap((ebgp) =>
  [true, false].map((fourOctetAs) => ({ ebgp, fourOctetAs, localAs: 64512, localId: 1, clusterId: 1 })),
);

/**
 * Octets that resemble path attributes: most lengths are right, most types known.
 */
const attributeLike: fc.Arbitrary<Uint8Array> = fc
  .array(
    record({
      flags: fc.constantFrom(0x40, 0x80, 0xc0, 0x50, 0xd0, 0xe0, 0x00),
      type: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 33 }) }, u8),
      value: bytes(24),
      slip: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, fc.integer({ min: -2, max: 300 })),
    }),
    { maxLength: 8 },
  )
  .map((list) =>
    Uint8Array.from(
      list.flatMap(({ flags, type, value, slip }) => {
        const length = Math.max(0, value.length + slip);
        const field = (flags & 0x10) !== 0 ? [length >> 8, length & 255] : [length & 255];
        return [flags, type, ...field, ...value];
      }),
    ),
  );

/** A copy within a larger buffer, whose other octets no decoder may read. */
function embedded(content: Uint8Array, filler: number): { buffer: Uint8Array; start: number; end: number } {
  const buffer = new Uint8Array(content.length + 96).fill(filler);
  buffer.set(content, 48);
  return { buffer, start: 48, end: 48 + content.length };
}

/** The result of a scan, and the stored form. */
function scanned(content: Uint8Array, filler: number, context: (typeof CONTEXTS)[number]): object {
  const { buffer, start, end } = embedded(content, filler);
  const scan = new AttributeScan();
  scanAttributes({ bytes: buffer, start, end, context }, scan);
  checkMandatory(scan, true);
  const keeps = !scan.error || scan.error.handling === 'discard';
  const kept = keeps ? toHex(storedForm({ bytes: buffer, start, end, context }, scan)) : null;
  const { mpReachStart, mpReachEnd, mpUnreachStart, mpUnreachEnd } = scan;
  assert.ok(mpReachEnd <= end && mpUnreachEnd <= end && mpReachStart <= mpReachEnd);
  assert.ok(mpUnreachStart <= mpUnreachEnd);
  return { ...scan, error: scan.error && { ...scan.error, data: toHex(scan.error.data) }, kept };
}

describe('properties of the codec', () => {
  it('decoding undoes encoding, for every message', () => {
    fc.assert(
      fc.property(anyMessage, (original) => {
        const wire = encodeMessage(original);
        assert.ok(wire.length <= 4096);
        assert.deepEqual(decodeMessage(wire), original);
      }),
      { numRuns: 1000 },
    );
  });

  it('encoding undoes decoding, for every message that we can send', () => {
    fc.assert(
      fc.property(anyMessage, (original) => {
        const wire = encodeMessage(original);
        const result = decodeMessage(wire);
        assert.ok(!isError(result));
        assert.equal(toHex(encodeMessage(result)), toHex(wire));
      }),
    );
  });

  it('decoding undoes encoding, for attributes, and the scan finds them valid', () => {
    const context = { ebgp: false, fourOctetAs: true, localAs: 64512, localId: 1, clusterId: 1 };
    fc.assert(
      fc.property(attributes, (original) => {
        const wire = encodeAttributes(original);
        assert.deepEqual(decodeAttributes(wire), original);
        const scan = new AttributeScan();
        scanAttributes({ bytes: wire, start: 0, end: wire.length, context }, scan);
        assert.equal(scan.error, null);
        assert.equal(scan.localPref, original.localPref ?? 100);
        assert.equal(scan.med, original.med ?? 0);
      }),
      { numRuns: 500 },
    );
  });

  it('any bytes are a message or an error, and no exception', () => {
    fc.assert(
      fc.property(bytes(200), (content) => {
        const result = decodeMessage(content);
        assert.ok(isError(result), 'random bytes have no marker');
      }),
    );
  });

  it('any body after a valid header is a message or an error, and no exception', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), bytes(300), (type, body) => {
        const result = decodeMessage(message(type, body));
        if (isError(result)) assert.ok(result.code >= 1 && result.code <= 7 && result.text !== '');
        else if (result.type === 'open') interpretCapabilities(result.open.capabilities);
        else if (result.type === 'notification') describeNotification(result.notification);
      }),
      { numRuns: 2000 },
    );
  });

  it('any optional parameters are capabilities or an error, and no exception', () => {
    const parameters = fc.oneof(
      bytes(60),
      fc
        .tuple(fc.constantFrom([255, 255], [9, 255], [20, 2]), bytes(60))
        .map(([head, tail]) => Uint8Array.of(...head, ...tail)),
    );
    fc.assert(
      fc.property(parameters, (tail) => {
        const body = Uint8Array.of(4, 0, 1, 0, 90, 10, 0, 0, 1, ...tail);
        const result = decodeMessage(message(1, body));
        if (isError(result))
          assert.ok((result.code === 2 && [0, 4].includes(result.subcode)) || result.code === 1);
      }),
      { numRuns: 2000 },
    );
  });

  it('attributes are scanned without an exception, and no octet outside them is read', () => {
    fc.assert(
      fc.property(fc.oneof(attributeLike, bytes(120)), fc.constantFrom(...CONTEXTS), (content, context) => {
        assert.deepEqual(scanned(content, 0x00, context), scanned(content, 0xff, context));
      }),
      { numRuns: 3000 },
    );
  });

  it('the stored form is valid with four-octet AS numbers and needs no second change', () => {
    fc.assert(
      fc.property(attributeLike, fc.constantFrom(...CONTEXTS), (content, context) => {
        const scan = new AttributeScan();
        scanAttributes({ bytes: content, start: 0, end: content.length, context }, scan);
        if (scan.error && scan.error.handling !== 'discard') return;
        const kept = storedForm({ bytes: content, start: 0, end: content.length, context }, scan);
        scanAttributes(
          { bytes: kept, start: 0, end: kept.length, context: { ...context, fourOctetAs: true } },
          scan,
        );
        assert.deepEqual([scan.error, scan.rewrite], [null, false]);
        const types: number[] = [];
        eachAttribute(kept, 0, kept.length, (type) => types.push(type));
        assert.equal(new Set(types).size, types.length, 'no attribute twice');
      }),
      { numRuns: 3000 },
    );
  });

  it('splitting a stream anywhere changes nothing', () => {
    const stream = fc.array(anyMessage, { maxLength: 6 });
    const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(stream, cuts, bytes(40), (messages, sizes, garbage) => {
        const whole = Uint8Array.from(
          Buffer.concat([...messages.map((message) => encodeMessage(message)), garbage]),
        );
        assert.deepEqual(framed(whole, sizes), framed(whole, [whole.length + 1]));
      }),
      { numRuns: 500 },
    );
  });

  it('a shutdown message is encoded whole, or its start in at most 255 octets of UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const data = shutdownData(text);
        assert.ok(data.length <= 256);
        const exported = shutdownMessage({ code: 6, subcode: 2, data }) ?? '';
        const expected = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');
        assert.ok(expected.startsWith(exported), JSON.stringify({ expected, shown: exported }));
      }),
    );
  });
});

/** The messages of a stream that arrives in pieces of these sizes, and the error that ends it. */
function framed(stream: Uint8Array, sizes: number[]): string[] {
  const framer = new Framer();
  const found: string[] = [];
  let at = 0;
  for (let i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length];
    framer.push(stream.slice(at, at + size));
    at += size;
    for (;;) {
      const next = framer.next();
      if (next === -1) break;
      if (typeof next !== 'number') return [...found, `${next.code}/${next.subcode}`];
      const length = framer.bytes[next + 16] * 256 + framer.bytes[next + 17];
      found.push(toHex(framer.bytes.subarray(next, next + length)));
    }
  }
  return found;
}
