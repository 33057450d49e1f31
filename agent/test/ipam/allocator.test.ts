import assert from 'node:assert/strict';
import type { IPPrefix } from 'bgp-js/ip';
import fc from 'fast-check';
import { Allocator } from '../../ipam/allocator.ts';
import { ip, net } from '../addresses.ts';

const ranges = (...list: string[]): IPPrefix[] => list.map(net);

describe('ipam allocator', () => {
  it('refuses ranges that are IPv6, too large or overlapping, and says which', () => {
    const wrong: [string[], RegExp][] = [
      [['10.244.1.0/26', 'fd00::/64'], /fd00::\/64 is an IPv6 range/],
      [['10.0.0.0/7'], /10\.0\.0\.0\/7 is too large.*\/8/],
      [['10.0.0.0/24', '10.1.0.0/24', '10.0.0.128/25'], /10\.0\.0\.0\/24 and 10\.0\.0\.128\/25 overlap/],
      [['10.0.0.0/24', '10.0.0.0/24'], /overlap/],
    ];
    for (const [list, message] of wrong) assert.throws(() => new Allocator(ranges(...list)), message);
    assert.equal(new Allocator(ranges('10.0.1.0/24', '10.0.0.0/24')).capacity(0).size, 512);
    assert.equal(new Allocator(ranges('240.0.0.0/8')).capacity(0).size, 2 ** 24);
  });

  it('allocates every address of every range once, also the first and the last', () => {
    const allocator = new Allocator(ranges('10.0.0.0/28', '10.9.9.9/32', '10.1.0.0/25'));
    const taken = new Set<string>();
    for (;;) {
      const address = allocator.take(0);
      if (address === undefined) break;
      assert.ok(!taken.has(address.toString()));
      taken.add(address.toString());
    }
    assert.equal(taken.size, 16 + 1 + 128);
    assert.ok(taken.has('10.0.0.0') && taken.has('10.0.0.15') && taken.has('10.1.0.127'));
    assert.deepEqual(allocator.capacity(0), { free: 0, size: 145 });
  });

  it('never allocates a reserved address', () => {
    const allocator = new Allocator(ranges('10.0.0.0/30'), [ip('10.0.0.1'), ip('192.0.2.1')]);
    const taken = [allocator.take(0), allocator.take(0), allocator.take(0), allocator.take(0)];
    assert.deepEqual(taken, [ip('10.0.0.0'), ip('10.0.0.2'), ip('10.0.0.3'), undefined]);
    assert.deepEqual(allocator.usage(0), [{ range: ranges('10.0.0.0/30')[0], size: 4, used: 3, resting: 0 }]);
  });

  it('continues behind the last address before it reuses a released one', () => {
    const allocator = new Allocator(ranges('10.0.0.0/30'));
    assert.deepEqual(allocator.take(0), ip('10.0.0.0'));
    allocator.quarantine(ip('10.0.0.0'), 0);
    assert.deepEqual(allocator.take(0), ip('10.0.0.1'));
    assert.deepEqual(allocator.take(0), ip('10.0.0.2'));
    assert.deepEqual(allocator.take(0), ip('10.0.0.3'));
    assert.deepEqual(allocator.take(0), ip('10.0.0.0'));
    assert.equal(allocator.take(0), undefined);
    const restarted = new Allocator(ranges('10.0.0.0/30'));
    restarted.continueAfter(ip('10.0.0.1'));
    assert.deepEqual(restarted.take(0), ip('10.0.0.2'));
  });

  it('keeps a released address in quarantine even if no other one is left', () => {
    const allocator = new Allocator(ranges('10.0.0.0/32'));
    assert.deepEqual(allocator.take(0), ip('10.0.0.0'));
    allocator.quarantine(ip('10.0.0.0'), 1000);
    assert.deepEqual(allocator.usage(1), [{ range: ranges('10.0.0.0/32')[0], size: 1, used: 0, resting: 1 }]);
    assert.equal(allocator.take(999), undefined);
    assert.equal(allocator.claim(ip('10.0.0.0'), 999), false);
    assert.deepEqual(allocator.take(1000), ip('10.0.0.0'));
  });

  it('frees an address with a shorter rest before one that was released earlier', () => {
    const allocator = new Allocator(ranges('10.0.0.0/30'));
    const [a, b, c, d] = [1, 2, 3, 4].map(() => allocator.take(0)!);
    allocator.quarantine(a, 1000);
    allocator.quarantine(b, 10);
    allocator.quarantine(c, 500);
    allocator.quarantine(d, 2000);
    assert.deepEqual(
      [...allocator.resting()].map(([, until]) => until),
      [10, 500, 1000, 2000],
    );
    assert.equal(allocator.capacity(9).free, 0);
    assert.deepEqual(allocator.take(10), b);
    assert.equal(allocator.take(499), undefined);
    assert.deepEqual(allocator.take(500), c);
    assert.deepEqual(allocator.take(2000), d);
    assert.deepEqual(allocator.take(2000), a);
  });

  it('finds the only free address, wherever it lies', () => {
    const allocator = new Allocator(ranges('10.0.0.0/25', '10.0.1.0/31'));
    const all = Array.from({ length: 130 }, () => allocator.take(0)!);
    assert.deepEqual([all[0], all[129]], [ip('10.0.0.0'), ip('10.0.1.1')]);
    for (const address of all) {
      assert.deepEqual(allocator.capacity(0), { free: 0, size: 130 });
      allocator.quarantine(address, 5);
      assert.equal(allocator.take(4), undefined);
      assert.equal(allocator.capacity(5).free, 1, `${address}`);
      assert.deepEqual(allocator.take(5), address);
    }
  });

  it('allocates a requested address once', () => {
    const allocator = new Allocator(ranges('10.0.0.0/29'));
    assert.equal(allocator.claim(ip('10.0.0.0')), true);
    assert.equal(allocator.claim(ip('10.0.0.0')), false);
    assert.equal(allocator.claim(ip('10.0.1.0')), false);
    assert.deepEqual(allocator.take(0), ip('10.0.0.1'));
  });

  it('agrees with a plain set for any sequence of takes, claims and releases', () => {
    const command = fc.record({
      kind: fc.constantFrom('take', 'claim', 'release', 'wait'),
      offset: fc.nat(69),
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 300 }), fc.nat(5), (commands, quarantine) => {
        const allocator = new Allocator(ranges('10.0.0.0/26', '10.0.0.64/30', '10.0.0.68/31'));
        const first = ip('10.0.0.0');
        const held = new Set<number>();
        const resting = new Map<number, number>();
        let now = 0;
        for (const { kind, offset } of commands) {
          const address = first.plus(offset).value;
          const rests = (a: number) => (resting.get(a) ?? -1) > now;
          if (kind === 'wait') now++;
          else if (kind === 'release' && held.delete(address)) {
            resting.set(address, now + quarantine);
            allocator.quarantine(first.plus(offset), now + quarantine);
          } else if (kind === 'claim') {
            const free = !held.has(address) && !rests(address);
            assert.equal(allocator.claim(first.plus(offset), now), free);
            held.add(address);
            if (!free && rests(address)) held.delete(address);
          } else if (kind === 'take') {
            const taken = allocator.take(now);
            const busy = new Set([...held, ...[...resting.keys()].filter(rests)]);
            if (taken === undefined) assert.equal(busy.size, 70);
            else {
              assert.ok(!busy.has(taken.value));
              held.add(taken.value);
            }
          }
          const used = allocator.usage(now).reduce((sum, range) => sum + range.used, 0);
          assert.equal(used, held.size);
        }
      }),
    );
  });
});
