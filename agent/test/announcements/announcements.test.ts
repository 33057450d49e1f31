import assert from 'node:assert/strict';
import { routeTo, Speaker } from 'bgp-js';
import type { IPPrefix } from 'bgp-js/ip';
import { Announcements, type BlackholeRoutes, podRange } from '../../announcements/announcements.ts';
import { net } from '../addresses.ts';

/** A kernel that installs a blackhole when the test calls `settle`. */
class FakeRoutes implements BlackholeRoutes {
  readonly wanted = new Map<string, number>();
  readonly #waiting = new Map<string, { resolve: () => void; reject: (error: Error) => void }[]>();

  set(prefix: IPPrefix, metric: number): void {
    this.wanted.set(`${prefix}`, metric);
  }
  delete(prefix: IPPrefix): void {
    this.wanted.delete(`${prefix}`);
    this.settle(`${prefix}`, new Error('removed'));
  }
  state(prefix: IPPrefix): string | null {
    return this.wanted.has(`${prefix}`) ? 'pending' : null;
  }
  whenInstalled(prefix: IPPrefix): Promise<void> {
    return new Promise((resolve, reject) => {
      const list = this.#waiting.get(`${prefix}`) ?? [];
      this.#waiting.set(`${prefix}`, [...list, { resolve, reject }]);
    });
  }
  settle(prefix: string, error?: Error): void {
    for (const { resolve, reject } of this.#waiting.get(prefix) ?? []) error ? reject(error) : resolve();
    this.#waiting.delete(prefix);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const FIRST = net('10.244.1.0/26');
const SECOND = net('10.244.2.0/26');
const SERVICE = net('192.0.2.80/32');

describe('Announcements', () => {
  function setUp() {
    const config = { as: 64512, routerId: '10.0.0.1', address: '10.0.0.1', maximumPaths: 1 };
    const speaker = new Speaker(config, () => 0.5);
    const routes = new FakeRoutes();
    const errors: string[] = [];
    const announcements = new Announcements({
      speaker,
      routes,
      onChange: () => {},
      onError: (prefix, error) => errors.push(`${prefix}: ${error.message}`),
    });
    const announced = (prefix: IPPrefix) => routeTo(speaker, `${prefix}`);
    return { speaker, routes, announcements, errors, announced };
  }

  it('announces a pod range only when the kernel has its blackhole', async () => {
    const { speaker, routes, announcements, announced } = setUp();
    announcements.set([podRange(FIRST)]);
    await turn();
    assert.ok(routes.wanted.has(`${FIRST}`));
    assert.equal(announced(FIRST), null);
    assert.match(announcements.state(FIRST) ?? '', /blackhole is not in the kernel yet/);
    routes.settle(`${FIRST}`);
    await turn();
    assert.ok(announced(FIRST));
    assert.equal(announcements.state(FIRST), 'announced');
    assert.equal(speaker.routing.own.ranges.size, 1, 'routes of peers within it are refused');
  });

  it('withdraws a removed range and leaves the others as they are', async () => {
    const { routes, announcements, announced } = setUp();
    announcements.set([podRange(FIRST), podRange(SECOND)]);
    routes.settle(`${FIRST}`);
    routes.settle(`${SECOND}`);
    await turn();
    announcements.set([podRange(SECOND)]);
    await turn();
    assert.equal(announced(FIRST), null);
    assert.equal(routes.wanted.has(`${FIRST}`), false);
    assert.ok(announced(SECOND));
    assert.equal(announcements.state(FIRST), null);
  });

  it('does not announce a range that was removed before its blackhole was installed', async () => {
    const { routes, announcements, announced, errors } = setUp();
    announcements.set([podRange(FIRST)]);
    announcements.set([]);
    routes.settle(`${FIRST}`);
    await turn();
    assert.equal(announced(FIRST), null);
    assert.deepEqual(errors, [], 'the removal is not an error');
  });

  it('reports a blackhole that the kernel refuses', async () => {
    const { routes, announcements, announced, errors } = setUp();
    announcements.set([podRange(FIRST)]);
    routes.settle(`${FIRST}`, new Error('Operation not permitted'));
    await turn();
    assert.deepEqual(errors, ['10.244.1.0/26: Operation not permitted']);
    assert.equal(announced(FIRST), null);
  });

  it('announces an address that many nodes announce at once, without a blackhole', () => {
    const { speaker, routes, announcements, announced } = setUp();
    const service = { prefix: SERVICE, exclusive: false, blackhole: false };
    announcements.set([{ ...service, attributes: { med: 10 } }]);
    assert.equal(announced(SERVICE)?.paths[0].attributes.med, 10);
    assert.equal(routes.wanted.size, 0);
    assert.equal(speaker.routing.own.ranges.size, 0, 'routes of other nodes to it are accepted');
    announcements.set([{ ...service, attributes: { med: 20 } }]);
    assert.equal(announced(SERVICE)?.paths[0].attributes.med, 20, 'changed attributes are announced');
    announcements.set([]);
    assert.equal(announced(SERVICE), null);
  });

  it('adds and removes the blackhole of an announced prefix', async () => {
    const { routes, announcements, announced } = setUp();
    announcements.set([{ prefix: SERVICE, exclusive: false, blackhole: true }]);
    assert.ok(routes.wanted.has(`${SERVICE}`));
    announcements.set([{ prefix: SERVICE, exclusive: false, blackhole: false }]);
    assert.equal(routes.wanted.size, 0);
    assert.ok(announced(SERVICE));
  });
});
