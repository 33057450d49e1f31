import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { KernelError } from '../../kernel/error.ts';
import { MessageBuilder } from '../../kernel/netlink.ts';
import { type EncodedTarget, encodeTarget, packNewRoute } from '../../kernel/route.ts';
import { RouteStore } from '../../kernel/route-store.ts';
import { ip, net } from '../addresses.ts';

const OWNER = { table: 254, protocol: 179 };
const TARGETS = ['10.0.0.2', '10.0.0.3'].map((gateway) =>
  encodeTarget({ type: 'unicast', nextHops: [{ gateway: ip(gateway), interface: 1 }] }),
);
const PREFIXES = ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16'];
const [FIRST, SECOND, THIRD] = PREFIXES.map(net);

/** A kernel in memory and the store that reconciles it. */
class Model {
  readonly store = new RouteStore(() => {});
  readonly kernel = new Map<string, EncodedTarget>();
  readonly wanted = new Map<string, EncodedTarget>();

  want(prefix: string, target: EncodedTarget): void {
    this.wanted.set(prefix, target);
    this.store.setDesired(net(prefix), 20, target);
  }

  unwant(prefix: string): void {
    this.wanted.delete(prefix);
    this.store.clearDesired(net(prefix), 20);
  }

  /** Writes one route. `between` runs before its answer; with `refuse` the kernel refuses it. */
  write(refuse: boolean, between: () => void): void {
    const entry = this.store.takeNext();
    if (entry === undefined) return between();
    const target = entry.desired;
    if (!refuse && target) this.kernel.set(`${entry.prefix}`, target);
    else if (!refuse) this.kernel.delete(`${entry.prefix}`);
    between();
    if (refuse) this.store.onRefused(entry, target, new KernelError('write', 22), 0);
    else this.store.onWritten(entry, target);
  }

  /** Another program changes the kernel's routes, and the kernel reports it. */
  meddle(prefix: string, target: EncodedTarget | null): void {
    if (target === null) this.kernel.delete(prefix);
    else this.kernel.set(prefix, target);
    if (target === null) this.store.observeGone(net(prefix), 20);
    else this.show(prefix, target);
  }

  show(prefix: string, target: EncodedTarget): void {
    const builder = new MessageBuilder();
    packNewRoute(builder, 0, OWNER, net(prefix), 20, target);
    this.store.observe(builder.buffer, 16, builder.length);
  }

  dump(): void {
    this.store.startDump();
    for (const [prefix, target] of this.kernel) this.show(prefix, target);
    for (const _pause of this.store.sweep()) {
      // Nothing else happens meanwhile.
    }
  }

  drain(): void {
    for (let i = 0; i < 1000 && this.store.dirty + this.store.failed > 0; i++) {
      this.store.retry(Number.POSITIVE_INFINITY);
      this.write(false, () => {});
    }
  }

  kernelKeys(): [string, string][] {
    return [...this.kernel].map(([prefix, { key }]): [string, string] => [prefix, key]).sort();
  }

  wantedKeys(): [string, string][] {
    return [...this.wanted].map(([prefix, { key }]): [string, string] => [prefix, key]).sort();
  }
}

describe('RouteStore', () => {
  const prefix = fc.constantFrom(...PREFIXES);
  const target = fc.constantFrom(...TARGETS);
  const change = fc.oneof(
    fc.tuple(prefix, target).map(([where, what]) => ['want', where, what] as const),
    prefix.map((where) => ['unwant', where] as const),
  );
  const step = fc.oneof(
    change,
    fc
      .tuple(fc.boolean(), fc.array(change, { maxLength: 3 }))
      .map(([refuse, changes]) => ['write', refuse, changes] as const),
    fc.tuple(prefix, fc.option(target)).map(([where, what]) => ['meddle', where, what] as const),
    fc.constant(['dump'] as const),
    fc.constant(['retry'] as const),
  );

  const follow = (
    model: Model,
    change: readonly ['want', string, EncodedTarget] | readonly ['unwant', string],
  ) => (change[0] === 'want' ? model.want(change[1], change[2]) : model.unwant(change[1]));

  it('brings the kernel to the desired state after any sequence of events', () => {
    fc.assert(
      fc.property(fc.array(target, { maxLength: 3 }), fc.array(step, { maxLength: 40 }), (former, steps) => {
        const model = new Model();
        former.forEach((what, i) => {
          model.kernel.set(PREFIXES[i], what);
        });
        model.dump();
        for (const action of steps) {
          if (action[0] === 'write') {
            model.write(action[1], () => {
              for (const change of action[2]) follow(model, change);
            });
          } else if (action[0] === 'meddle') model.meddle(action[1], action[2]);
          else if (action[0] === 'dump') model.dump();
          else if (action[0] === 'retry') model.store.retry(Number.POSITIVE_INFINITY);
          else follow(model, action);
        }
        model.store.releaseStale();
        model.drain();
        assert.deepEqual(model.kernelKeys(), model.wantedKeys());
        assert.equal(model.store.size, model.wanted.size, 'the store keeps no route that is not desired');
        assert.equal(model.store.dirty + model.store.failed + model.store.stale, 0);
      }),
      { numRuns: 3000 },
    );
  });

  it('settles every promise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const model = new Model();
        const waiting: Promise<string>[] = [];
        for (const action of steps) {
          if (action[0] === 'write') model.write(action[1], () => {});
          else if (action[0] === 'want') {
            follow(model, action);
            const promise = model.store.whenInstalled(net(action[1]), 20);
            waiting.push(
              promise.then(
                () => 'installed',
                () => 'rejected',
              ),
            );
          } else if (action[0] === 'unwant') follow(model, action);
        }
        model.drain();
        const results = await Promise.all(waiting);
        assert.ok(results.every((result) => result === 'installed' || result === 'rejected'));
      }),
    );
  });

  it('doubles the retry delay with each failure and writes routes with waiters first', async () => {
    const store = new RouteStore(() => {});
    store.setDesired(FIRST, 20, TARGETS[0]);
    const delays: number[] = [];
    for (let i = 0; i < 9; i++) {
      const entry = store.takeNext();
      assert.ok(entry);
      store.onRefused(entry, entry.desired, new KernelError('write', 22), 1000);
      delays.push(store.nextRetry() - 1000);
      store.retry(store.nextRetry() - 1);
      assert.equal(store.dirty, 0);
      store.retry(store.nextRetry());
      assert.equal(store.dirty, 1);
    }
    assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    store.setDesired(SECOND, 20, TARGETS[0]);
    store.setDesired(THIRD, 20, TARGETS[0]);
    const installed = store.whenInstalled(THIRD, 20);
    const first = store.takeNext();
    assert.equal(first?.prefix, THIRD);
    if (first) store.onWritten(first, first.desired);
    await installed;
  });

  it('needs a write only when the desired target changes or has failed', () => {
    const store = new RouteStore(() => {});
    assert.equal(store.setDesired(FIRST, 20, TARGETS[0]), true);
    assert.equal(store.setDesired(FIRST, 20, TARGETS[0]), false);
    const entry = store.takeNext();
    assert.ok(entry);
    store.onRefused(entry, entry.desired, new KernelError('write', 22), 0);
    assert.equal(store.setDesired(FIRST, 20, TARGETS[0]), true, 'the refused route is written at once');
    assert.equal(store.setDesired(FIRST, 20, TARGETS[1]), true);
    assert.equal(store.clearDesired(SECOND, 20), false);
  });

  it('does not count the refusal of an outdated target as a failure of the new one', async () => {
    const store = new RouteStore(({ what }) => assert.notEqual(what, 'failed'));
    store.setDesired(FIRST, 20, TARGETS[0]);
    const entry = store.takeNext();
    assert.ok(entry);
    store.setDesired(FIRST, 20, TARGETS[1]);
    const installed = store.whenInstalled(FIRST, 20);
    store.onRefused(entry, TARGETS[0], new KernelError('write', 22), 0);
    assert.deepEqual([store.failed, store.dirty], [0, 1]);
    const again = store.takeNext();
    assert.equal(again?.desired, TARGETS[1]);
    if (again) store.onWritten(again, TARGETS[1]);
    await installed;
  });
});
