import assert from 'node:assert/strict';
import { TimeSlicing } from '../../process/time-slicing.ts';

describe('time slicing', () => {
  /** Steps of about half a millisecond that note when they run. */
  function* steps(count: number, note: () => void): Generator<void, number> {
    for (let i = 0; i < count; i++) {
      const end = performance.now() + 0.5;
      while (performance.now() < end);
      note();
      yield;
    }
    return count;
  }

  it('lets the event loop turn every few steps', async () => {
    let turns = 0;
    let ended = false;
    const count = () => {
      turns++;
      if (!ended) setImmediate(count);
    };
    setImmediate(count);
    assert.equal(await new TimeSlicing().run(() => steps(40, () => {})), 40);
    ended = true;
    assert.ok(turns >= 8, `${turns} turns in about 20 ms of work`);
  });

  it('runs one job after the other, also if one fails', async () => {
    const work = new TimeSlicing();
    const order: string[] = [];
    const first = work.run(() => steps(10, () => order.push('a')));
    const broken = work.run(function* (): Generator<void, number> {
      yield;
      throw new Error('broken');
    });
    const last = work.run(() => steps(10, () => order.push('b')));
    await assert.rejects(broken, /broken/);
    assert.deepEqual([await first, await last], [10, 10]);
    assert.equal(order.join(''), 'a'.repeat(10) + 'b'.repeat(10));
  });
});
