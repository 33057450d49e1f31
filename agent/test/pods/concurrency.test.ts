import assert from 'node:assert/strict';
import { KeyedQueue, Semaphore, SerialQueue } from '../../pods/concurrency.ts';

describe('pods: queues', () => {
  it('runs jobs with one key in order, also after an error, and others concurrently', async () => {
    const queue = new KeyedQueue();
    const trace: string[] = [];
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = queue.run('a', async () => {
      await gate;
      trace.push('a1');
      throw new Error('a1 fails');
    });
    const second = queue.run('a', async () => void trace.push('a2'));
    await queue.run('b', async () => void trace.push('b1'));
    assert.deepEqual(trace, ['b1']);
    release();
    await assert.rejects(first, /a1 fails/);
    await second;
    assert.deepEqual(trace, ['b1', 'a1', 'a2']);
  });

  it('lets a late job wait for the last of several jobs with its key', async () => {
    const queue = new KeyedQueue();
    const gates: (() => void)[] = [];
    const started: string[] = [];
    const job = (name: string) => () => {
      started.push(name);
      return new Promise<void>((resolve) => gates.push(resolve));
    };
    const pass = () => new Promise((resolve) => setImmediate(resolve));
    const first = queue.run('a', job('a1'));
    const second = queue.run('a', job('a2'));
    gates[0]();
    await first;
    await pass();
    const third = queue.run('a', job('a3'));
    await pass();
    assert.deepEqual(started, ['a1', 'a2']);
    gates[1]();
    await second;
    await pass();
    assert.deepEqual(started, ['a1', 'a2', 'a3']);
    gates[2]();
    await third;
  });

  it('runs each job in its own turn of the event loop, one at a time', async () => {
    const queue = new SerialQueue();
    let others = 0;
    let running = 0;
    const tick = (): void => {
      others++;
      if (others < 100) setImmediate(tick);
    };
    setImmediate(tick);
    const seen = await Promise.all(
      [1, 2, 3].map(() =>
        queue.run(async () => {
          assert.equal(running++, 0);
          await Promise.resolve();
          running--;
          return others;
        }),
      ),
    );
    assert.ok(seen[0] < seen[1] && seen[1] < seen[2], seen.join());
    await assert.rejects(
      queue.run(() => Promise.reject(new Error('x'))),
      /x/,
    );
    assert.equal(await queue.run(() => 7), 7);
  });

  it('admits the next job after one that failed', async () => {
    const limit = new Semaphore(1);
    await assert.rejects(
      limit.run(() => Promise.reject(new Error('x'))),
      /x/,
    );
    assert.equal(await limit.run(async () => 7), 7);
  });

  it('runs at most as many jobs at once as its limit, in the order of arrival', async () => {
    const limit = new Semaphore(2);
    const gates: (() => void)[] = [];
    const started: number[] = [];
    const job = (n: number) => () => {
      started.push(n);
      return new Promise<void>((resolve) => gates.push(resolve));
    };
    const all = [1, 2, 3, 4].map((n) => limit.run(job(n)));
    const pass = () => new Promise((resolve) => setImmediate(resolve));
    await pass();
    assert.deepEqual(started, [1, 2]);
    gates[1]();
    await pass();
    assert.deepEqual(started, [1, 2, 3]);
    gates[0]();
    await pass();
    assert.deepEqual(started, [1, 2, 3, 4]);
    for (const open of gates) open();
    await Promise.all(all);
  });

  it('releases the memory of a key once its jobs are done', async () => {
    const queue = new KeyedQueue();
    const first = queue.run('a', async () => 1);
    const second = queue.run('a', async () => 2);
    assert.equal(queue.size, 1);
    assert.deepEqual(await Promise.all([first, second]), [1, 2]);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(queue.size, 0);
  });
});
