import assert from 'node:assert/strict';
import { routeTo, Speaker } from 'bgp-js';
import { Announcements, type RangeRoutes } from '../../announcements/announcements.ts';

/** A kernel that installs a blackhole when it is told to. */
class FakeRoutes implements RangeRoutes {
  readonly wanted = new Map<string, number>();
  readonly #waiting = new Map<string, { resolve: () => void; reject: (error: Error) => void }[]>();

  set(prefix: string, metric: number): void {
    this.wanted.set(prefix, metric);
  }
  delete(prefix: string): void {
    this.wanted.delete(prefix);
    this.settle(prefix, new Error('not wanted any more'));
  }
  state(prefix: string): string | null {
    return this.wanted.has(prefix) ? 'pending' : null;
  }
  whenInstalled(prefix: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const list = this.#waiting.get(prefix) ?? [];
      this.#waiting.set(prefix, [...list, { resolve, reject }]);
    });
  }
  settle(prefix: string, error?: Error): void {
    for (const { resolve, reject } of this.#waiting.get(prefix) ?? []) error ? reject(error) : resolve();
    this.#waiting.delete(prefix);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Origin', () => {
  function setUp() {
    const config = { as: 64512, routerId: '10.0.0.1', address: '10.0.0.1', maximumPaths: 1 };
    const speaker = new Speaker(config, () => 0.5);
    const routes = new FakeRoutes();
    const errors: string[] = [];
    const origin = new Announcements({
      speaker,
      routes,
      onChange: () => {},
      onError: (range, error) => errors.push(`${range}: ${error.message}`),
    });
    const announced = (range: string): boolean => routeTo(speaker, range) !== null;
    return { speaker, routes, origin, errors, announced };
  }

  it('announces a range only once the kernel has its blackhole', async () => {
    const { routes, origin, announced } = setUp();
    origin.setRanges(['10.244.1.0/26']);
    await turn();
    assert.ok(routes.wanted.has('10.244.1.0/26'));
    assert.equal(announced('10.244.1.0/26'), false);
    assert.match(origin.state('10.244.1.0/26') ?? '', /blackhole is not in the kernel yet/);
    routes.settle('10.244.1.0/26');
    await turn();
    assert.ok(announced('10.244.1.0/26'));
    assert.equal(origin.state('10.244.1.0/26'), 'announced');
  });

  it('withdraws a range that goes, and leaves the others as they are', async () => {
    const { routes, origin, announced } = setUp();
    origin.setRanges(['10.244.1.0/26', '10.244.2.0/26']);
    routes.settle('10.244.1.0/26');
    routes.settle('10.244.2.0/26');
    await turn();
    origin.setRanges(['10.244.2.0/26']);
    await turn();
    assert.equal(announced('10.244.1.0/26'), false);
    assert.equal(routes.wanted.has('10.244.1.0/26'), false);
    assert.ok(announced('10.244.2.0/26'));
    assert.equal(origin.state('10.244.1.0/26'), null);
  });

  it('does not announce a range that went before its blackhole came', async () => {
    const { routes, origin, announced, errors } = setUp();
    origin.setRanges(['10.244.1.0/26']);
    origin.setRanges([]);
    routes.settle('10.244.1.0/26');
    await turn();
    assert.equal(announced('10.244.1.0/26'), false);
    assert.deepEqual(errors, [], 'that it is no longer wanted is no trouble');
  });

  it('tells of a blackhole that the kernel refuses', async () => {
    const { routes, origin, announced, errors } = setUp();
    origin.setRanges(['10.244.1.0/26']);
    routes.settle('10.244.1.0/26', new Error('Operation not permitted'));
    await turn();
    assert.deepEqual(errors, ['10.244.1.0/26: Operation not permitted']);
    assert.equal(announced('10.244.1.0/26'), false);
  });
});
