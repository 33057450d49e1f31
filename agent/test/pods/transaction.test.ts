import assert from 'node:assert/strict';
import { KeyedQueue, Semaphore, SerialQueue } from '../../pods/concurrency.ts';
import { hostLinkName, linkMacs } from '../../pods/names.ts';
import { runSteps, type Step, TransactionError } from '../../pods/transaction.ts';

describe('pods: plan', () => {
  const trace: string[] = [];
  const step = (name: string, fails = false, undoFails = false): Step => ({
    name,
    run: () => {
      trace.push(`do ${name}`);
      if (fails) throw new Error(`${name} does not work`);
    },
    undo: async () => {
      trace.push(`undo ${name}`);
      if (undoFails) throw new Error(`${name} stays`);
    },
  });

  beforeEach(() => {
    trace.length = 0;
  });

  it('carries the steps out in order and undoes nothing when all goes well', async () => {
    await runSteps([step('a'), { name: 'b', run: async () => void trace.push('do b') }, step('c')]);
    assert.deepEqual(trace, ['do a', 'do b', 'do c']);
  });

  it('undoes in reverse from the step that failed, goes on after an undo that fails, and tells', async () => {
    await assert.rejects(
      runSteps([step('a'), step('b', false, true), step('c', true), step('d')]),
      (error: unknown) => {
        assert.ok(error instanceof TransactionError);
        assert.equal(error.message, 'cannot c: c does not work');
        assert.deepEqual(error.leftovers, ['undo "b": b stays']);
        return true;
      },
    );
    assert.deepEqual(trace, ['do a', 'do b', 'do c', 'undo c', 'undo b', 'undo a']);
  });
});

describe('pods: names', () => {
  it('are the same for the same owner, fit, and differ for others', () => {
    const names = new Set<string>();
    const macs = new Set<string>();
    for (let n = 0; n < 1000; n++) {
      const owner = { containerId: `c${n}`, ifname: 'eth0' };
      const { host, pod } = linkMacs(owner);
      assert.match(hostLinkName(owner), /^fr[0-9a-f]{13}$/);
      // Unicast and locally administered.
      for (const mac of [host, pod]) assert.match(mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
      names.add(hostLinkName(owner));
      macs.add(host).add(pod);
    }
    assert.deepEqual([names.size, macs.size], [1000, 2000]);
    assert.equal(
      hostLinkName({ containerId: 'c1', ifname: 'eth0' }),
      hostLinkName({ containerId: 'c1', ifname: 'eth0' }),
    );
    assert.notEqual(
      hostLinkName({ containerId: 'c1', ifname: 'eth0' }),
      hostLinkName({ containerId: 'c1', ifname: 'eth1' }),
    );
  });
});

describe('pods: turns', () => {
  it('runs one container in order, also after an error, and others side by side', async () => {
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

  it('gives each job a turn of the event loop, one at a time', async () => {
    const turns = new SerialQueue();
    let others = 0;
    let running = 0;
    const tick = (): void => {
      others++;
      if (others < 100) setImmediate(tick);
    };
    setImmediate(tick);
    const seen = await Promise.all(
      [1, 2, 3].map(() =>
        turns.run(async () => {
          assert.equal(running++, 0);
          await Promise.resolve();
          running--;
          return others;
        }),
      ),
    );
    assert.ok(seen[0] < seen[1] && seen[1] < seen[2], seen.join());
    await assert.rejects(
      turns.run(() => Promise.reject(new Error('x'))),
      /x/,
    );
    assert.equal(await turns.run(() => 7), 7);
  });

  it('limits how many run, and lets the next one in after an error', async () => {
    const limit = new Semaphore(1);
    await assert.rejects(
      limit.run(() => Promise.reject(new Error('x'))),
      /x/,
    );
    assert.equal(await limit.run(async () => 7), 7);
  });
});
