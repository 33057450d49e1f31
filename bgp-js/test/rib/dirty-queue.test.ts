import assert from 'node:assert/strict';
import { DirtyQueue } from '../../rib/dirty-queue.ts';
import type { PrefixId } from '../../rib/store/ids.ts';
import { makeRib, nlri } from './helpers.ts';

/** A queue that contains the first three prefixes of its table. */
function scene() {
  const { prefixes } = makeRib().rib;
  const intern = (i: number): PrefixId => {
    const id = prefixes.intern(nlri(`10.${i}.0.0/16`), 0);
    prefixes.hold(id);
    return id;
  };
  const ids = [0, 1, 2].map(intern);
  const queue = new DirtyQueue(prefixes);
  queue.markAll();
  const takeAll = (): PrefixId[] => {
    const taken: PrefixId[] = [];
    for (let id = queue.take(); id >= 0; id = queue.take()) {
      taken.push(id);
      prefixes.release(id);
    }
    return taken;
  };
  return { prefixes, intern, ids, queue, takeAll };
}

describe('DirtyQueue', () => {
  it('returns each prefix once, whether it existed at first, changed, or both', () => {
    const { intern, ids, queue, takeAll } = scene();
    const late = intern(3);
    for (const id of [ids[2], late, late]) queue.mark(id);
    assert.deepEqual(takeAll().sort(), [...ids, late].sort());
    assert.equal(queue.size, 0);
    queue.mark(ids[0]);
    assert.deepEqual(takeAll(), [ids[0]]);
  });

  it('skips prefixes that were released meanwhile', () => {
    const { prefixes, ids, takeAll } = scene();
    prefixes.release(ids[1]);
    assert.deepEqual(takeAll(), [ids[0], ids[2]]);
  });

  it('holds changed prefixes, and releases them a slice at a time', () => {
    const { prefixes, intern, queue } = scene();
    const changed = Array.from({ length: 10 }, (_, i) => intern(10 + i));
    for (const id of changed) {
      queue.mark(id);
      prefixes.release(id);
    }
    assert.equal(prefixes.size, 13);
    assert.equal(queue.clear(0, 4), 6);
    assert.equal(prefixes.size, 9);
    assert.equal(queue.clear(6, 10), 0);
    assert.equal(prefixes.size, 3);
  });
});
