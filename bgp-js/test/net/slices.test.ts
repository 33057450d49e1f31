import assert from 'node:assert/strict';
import { DeferredQueue } from '../../net/slices.ts';

describe('DeferredQueue', () => {
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

  it('handles everything at once when there is time', () => {
    const done: number[] = [];
    const queue = new DeferredQueue<number>((item) => done.push(item));
    assert.equal(
      queue.handle([], () => true),
      true,
    );
    assert.equal(
      queue.handle(numbers(0, 100), () => false),
      true,
    );
    assert.deepEqual(done, numbers(0, 100));
  });

  it('defers the rest when the time is up, and handles it before newer items', () => {
    const done: number[] = [];
    const queue = new DeferredQueue<number>((item) => done.push(item));
    assert.equal(
      queue.handle(numbers(0, 100), () => true),
      false,
    );
    const first = done.length;
    assert.ok(first > 0 && first < 50, `${first} at once`);
    for (let from = 100; from < 110; from++) queue.handle([from], () => true);
    assert.equal(
      queue.handle([], () => false),
      true,
    );
    assert.deepEqual(done, numbers(0, 110));
  });

  it('handles each item once, even if a handler calls handle, or throws', () => {
    const done: number[] = [];
    const queue = new DeferredQueue<number>((item) => {
      done.push(item);
      if (item === 20) assert.ok(queue.handle([1000], () => false));
      if (item === 30) throw new Error('no');
    });
    assert.equal(
      queue.handle(numbers(0, 40), () => true),
      false,
    );
    assert.throws(() => queue.handle([], () => false), /no/);
    assert.equal(
      queue.handle([], () => false),
      true,
    );
    assert.deepEqual(done, [...numbers(0, 21), 1000, ...numbers(21, 40)]);
  });
});
