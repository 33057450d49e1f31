import assert from 'node:assert/strict';
import { DeferredQueue } from '../../net/deferred-queue.ts';

describe('what a speaker wants done', () => {
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

  it('is done at once when there is time', () => {
    const done: number[] = [];
    const outcomes = new DeferredQueue<number>((item) => done.push(item));
    assert.equal(
      outcomes.handle([], () => true),
      true,
    );
    assert.equal(
      outcomes.handle(numbers(0, 100), () => false),
      true,
    );
    assert.deepEqual(done, numbers(0, 100));
  });

  it('waits when the time is up, and comes before what came later', () => {
    const done: number[] = [];
    const outcomes = new DeferredQueue<number>((item) => done.push(item));
    assert.equal(
      outcomes.handle(numbers(0, 100), () => true),
      false,
    );
    const first = done.length;
    assert.ok(first > 0 && first < 50, `${first} at once`);
    for (let from = 100; from < 110; from++) outcomes.handle([from], () => true);
    assert.equal(
      outcomes.handle([], () => false),
      true,
    );
    assert.deepEqual(done, numbers(0, 110));
  });

  it('is done once, also when one of them has the rest done, or fails', () => {
    const done: number[] = [];
    const outcomes = new DeferredQueue<number>((item) => {
      done.push(item);
      if (item === 20) assert.ok(outcomes.handle([1000], () => false));
      if (item === 30) throw new Error('no');
    });
    assert.equal(
      outcomes.handle(numbers(0, 40), () => true),
      false,
    );
    assert.throws(() => outcomes.handle([], () => false), /no/);
    assert.equal(
      outcomes.handle([], () => false),
      true,
    );
    assert.deepEqual(done, [...numbers(0, 21), 1000, ...numbers(21, 40)]);
  });
});
