import assert from 'node:assert/strict';
import { IPAddress, IPPrefix } from 'bgp-js/ip';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { formatMac, parseMac } from '../../kernel/mac.ts';
import {
  HEADER_LENGTH,
  MessageBuilder,
  readString,
  readUint32,
  walkAttributes,
} from '../../kernel/netlink.ts';
import {
  encodeTarget,
  matchesTarget,
  packNewRoute,
  parseRoute,
  RouteCursor,
  type RouteTarget,
} from '../../kernel/route.ts';

const word = fc.nat(0xffffffff);
const ipv4 = word.map((value) => IPAddress.v4(value));
const ipv6 = fc.tuple(word, word, word, word).map(([w0, w1, w2, w3]) => IPAddress.v6(w0, w1, w2, w3));
const address = fc.oneof(ipv4, ipv6);
const prefix = fc.oneof(
  fc.tuple(ipv4, fc.nat(32)).map(([first, length]) => IPPrefix.of(first, length)),
  fc.tuple(ipv6, fc.nat(128)).map(([first, length]) => IPPrefix.of(first, length)),
);
const hop = fc.oneof(
  fc.record({ gateway: address, interface: fc.integer({ min: 1, max: 0x7fffffff }) }),
  fc.record({ interface: fc.integer({ min: 1, max: 0x7fffffff }) }),
);
const target: fc.Arbitrary<RouteTarget> = fc.oneof(
  fc.constant<RouteTarget>({ type: 'blackhole', nextHops: [] }),
  fc.record({
    type: fc.constant('unicast' as const),
    nextHops: fc.array(hop, { minLength: 1, maxLength: 16 }),
  }),
);

describe('attributes', () => {
  it('can be read as they were packed', () => {
    const builder = new MessageBuilder(256);
    builder.begin(16, 1, 4);
    builder.uint32(1, 0xdeadbeef);
    builder.string(2, 'eth0');
    builder.nest(3, () => builder.bytes(4, Buffer.from([1, 2, 3])));
    builder.end(7);
    assert.equal(builder.buffer.readUInt32LE(0), builder.length);
    assert.equal(builder.length % 4, 0);
    const seen: unknown[] = [];
    walkAttributes(builder.buffer, HEADER_LENGTH + 4, builder.length, (type, from, to) => {
      if (type === 1) seen.push(readUint32(builder.buffer, from, to));
      if (type === 2) seen.push(readString(builder.buffer, from, to));
      if (type !== 3) return;
      walkAttributes(builder.buffer, from, to, (inner, start, end) => {
        seen.push(inner, [...builder.buffer.subarray(start, end)]);
      });
    });
    assert.deepEqual(seen, [0xdeadbeef, 'eth0', 4, [1, 2, 3]]);
  });

  it('do not fit into a full buffer', () => {
    const builder = new MessageBuilder(32);
    builder.begin(16, 1, 8);
    builder.uint32(1, 1);
    assert.equal(builder.room, 0);
    assert.throws(() => builder.uint32(1, 1), RangeError);
    assert.throws(() => builder.bytes(1, Buffer.alloc(100)), RangeError);
  });

  it('are never read past the end of arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(220), fc.nat(220), (bytes, start, end) => {
        const buffer = Buffer.from(bytes);
        walkAttributes(buffer, start, end, (_type, from, to) => {
          assert.ok(from >= start && from <= to && to <= Math.min(end, buffer.length));
          readUint32(buffer, from, to);
          readString(buffer, from, to);
        });
      }),
      { numRuns: 2000 },
    );
  });

  it('of arbitrary bytes never make the route parser throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 300 }), fc.boolean(), (bytes, isIPv6) => {
        const buffer = Buffer.from(bytes);
        buffer[0] = isIPv6 ? 10 : 2;
        parseRoute(buffer, 0, buffer.length);
        const cursor = new RouteCursor();
        if (!cursor.locate(buffer, 0, buffer.length)) return;
        assert.equal(cursor.prefix.key, cursor.prefixKey);
        assert.ok(Number.isInteger(cursor.metric));
        assert.ok(cursor.hasShape(cursor.capture()));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a route message', () => {
  it('can be read as it was packed', () => {
    const metrics = fc.integer({ min: 0, max: 0xffffffff });
    const tables = fc.constantFrom(100, 254, 255, 256, 1179);
    fc.assert(
      fc.property(prefix, metrics, tables, target, (where, metric, table, what) => {
        const builder = new MessageBuilder();
        packNewRoute(builder, 0, { table, protocol: 179 }, where, metric, encodeTarget(what, where.version));
        const route = parseRoute(builder.buffer, HEADER_LENGTH, builder.length);
        assert.ok(route);
        assert.deepEqual(
          { prefix: route.prefix, metric: route.metric, table: route.table, protocol: route.protocol },
          { prefix: where, metric, table, protocol: 179 },
        );
        assert.ok(matchesTarget(what, route));
      }),
    );
  });

  it('has the shape of another exactly when only prefix and metric differ', () => {
    const message = (where: IPPrefix, metric: number, what: RouteTarget) => {
      const builder = new MessageBuilder();
      packNewRoute(
        builder,
        0,
        { table: 254, protocol: 179 },
        where,
        metric,
        encodeTarget(what, where.version),
      );
      const cursor = new RouteCursor();
      cursor.locate(builder.buffer, HEADER_LENGTH, builder.length);
      return cursor;
    };
    const metrics = fc.integer({ min: 1, max: 0xffffffff });
    fc.assert(
      fc.property(prefix, prefix, metrics, metrics, target, target, (p1, p2, m1, m2, t1, t2) => {
        const one = message(p1, m1, t1);
        assert.deepEqual([one.prefix, one.prefixKey, one.metric], [p1, p1.key, m1]);
        const shape = one.capture();
        assert.equal(message(p2, m2, t1).hasShape(shape), p1.version === p2.version);
        const sameTarget = encodeTarget(t1).key === encodeTarget(t2).key;
        assert.equal(message(p2, m2, t2).hasShape(shape), sameTarget && p1.version === p2.version);
      }),
    );
  });
});

describe('a MAC address', () => {
  it('is the same as text and as octets', () => {
    assert.equal(formatMac(parseMac('02:00:5E:10:00:ff')), '02:00:5e:10:00:ff');
    assert.equal(formatMac(new Uint8Array()), '');
    for (const text of ['', '02:00:00:00:00', '02:00:00:00:00:0g', '02-00-00-00-00-00']) {
      assert.throws(() => parseMac(text), TypeError, text);
    }
  });
});
