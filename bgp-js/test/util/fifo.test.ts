import assert from 'node:assert/strict';
import { Fifo } from '../../util/fifo.ts';

describe('Fifo', () => {
  it('returns entries in order while the ring wraps around and grows', () => {
    const queue = new Fifo<number>();
    let pushed = 0;
    let taken = 0;
    for (const [more, less] of [
      [1, 1],
      [2, 1],
      [5, 3],
      [40, 30],
      [3, 16],
      [1, 1],
    ]) {
      for (let i = 0; i < more; i++) queue.push(pushed++);
      for (let i = 0; i < less; i++) assert.equal(queue.take(), taken++);
      assert.equal(queue.size, pushed - taken);
    }
    assert.equal(queue.size, 0);
    assert.equal(queue.take(), null);
  });

  it('returns null while it is empty', () => {
    const queue = new Fifo<string>();
    assert.equal(queue.take(), null);
    queue.push('a');
    assert.equal(queue.take(), 'a');
    assert.equal(queue.take(), null);
    assert.equal(queue.size, 0);
  });
});
