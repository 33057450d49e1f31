import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Allocator } from '../../ipam/allocator.ts';
import { parseAddress, parseRanges } from '../../ipam/ranges.ts';

const at = (text: string): number => parseAddress(text)!;

describe('ipam allocator', () => {
  it('hands out every address of every range once, the edges included', () => {
    const allocator = new Allocator(parseRanges(['10.0.0.0/28', '10.9.9.9/32', '10.1.0.0/25']));
    const taken = new Set<number>();
    for (;;) {
      const address = allocator.take(0);
      if (address === undefined) break;
      assert.ok(!taken.has(address));
      taken.add(address);
    }
    assert.equal(taken.size, 16 + 1 + 128);
    assert.ok(taken.has(at('10.0.0.0')) && taken.has(at('10.0.0.15')) && taken.has(at('10.1.0.127')));
    assert.equal(allocator.hasFree(0), false);
  });

  it('never hands out a reserved address', () => {
    const allocator = new Allocator(parseRanges(['10.0.0.0/30']), [at('10.0.0.1'), at('192.0.2.1')]);
    const taken = [allocator.take(0), allocator.take(0), allocator.take(0), allocator.take(0)];
    assert.deepEqual(taken, [at('10.0.0.0'), at('10.0.0.2'), at('10.0.0.3'), undefined]);
    assert.deepEqual(allocator.usage(0), [{ cidr: '10.0.0.0/30', size: 4, used: 3, resting: 0 }]);
  });

  it('goes on behind the last address before it comes back to a released one', () => {
    const allocator = new Allocator(parseRanges(['10.0.0.0/30']));
    assert.equal(allocator.take(0), at('10.0.0.0'));
    allocator.rest(at('10.0.0.0'), 0);
    assert.equal(allocator.take(0), at('10.0.0.1'));
    assert.equal(allocator.take(0), at('10.0.0.2'));
    assert.equal(allocator.take(0), at('10.0.0.3'));
    assert.equal(allocator.take(0), at('10.0.0.0'));
    assert.equal(allocator.take(0), undefined);
    const restarted = new Allocator(parseRanges(['10.0.0.0/30']));
    restarted.continueAfter(at('10.0.0.1'));
    assert.equal(restarted.take(0), at('10.0.0.2'));
  });

  it('keeps a released address for its quarantine, even when nothing else is left', () => {
    const allocator = new Allocator(parseRanges(['10.0.0.0/32']));
    assert.equal(allocator.take(0), at('10.0.0.0'));
    allocator.rest(at('10.0.0.0'), 1000);
    assert.deepEqual(allocator.usage(1), [{ cidr: '10.0.0.0/32', size: 1, used: 0, resting: 1 }]);
    assert.equal(allocator.take(999), undefined);
    assert.equal(allocator.claim(at('10.0.0.0'), 999), false);
    assert.equal(allocator.take(1000), at('10.0.0.0'));
  });

  it('gives a certain address once', () => {
    const allocator = new Allocator(parseRanges(['10.0.0.0/29']));
    assert.equal(allocator.claim(at('10.0.0.0')), true);
    assert.equal(allocator.claim(at('10.0.0.0')), false);
    assert.equal(allocator.claim(at('10.0.1.0')), false);
    assert.equal(allocator.take(0), at('10.0.0.1'));
  });

  it('agrees with a plain set under any sequence of takes, claims and releases', () => {
    const command = fc.record({
      kind: fc.constantFrom('take', 'claim', 'release', 'wait'),
      offset: fc.nat(69),
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 300 }), fc.nat(5), (commands, quarantine) => {
        const allocator = new Allocator(parseRanges(['10.0.0.0/26', '10.0.0.64/30', '10.0.0.68/31']));
        const first = at('10.0.0.0');
        const held = new Set<number>();
        const resting = new Map<number, number>();
        let now = 0;
        for (const { kind, offset } of commands) {
          const address = first + offset;
          const rests = (a: number) => (resting.get(a) ?? -1) > now;
          if (kind === 'wait') now++;
          else if (kind === 'release' && held.delete(address)) {
            resting.set(address, now + quarantine);
            allocator.rest(address, now + quarantine);
          } else if (kind === 'claim') {
            const free = !held.has(address) && !rests(address);
            assert.equal(allocator.claim(address, now), free);
            held.add(address);
            if (!free && rests(address)) held.delete(address);
          } else if (kind === 'take') {
            const taken = allocator.take(now);
            const busy = new Set([...held, ...[...resting.keys()].filter(rests)]);
            if (taken === undefined) assert.equal(busy.size, 70);
            else {
              assert.ok(!busy.has(taken));
              held.add(taken);
            }
          }
          const used = allocator.usage(now).reduce((sum, range) => sum + range.used, 0);
          assert.equal(used, held.size);
        }
      }),
    );
  });
});
