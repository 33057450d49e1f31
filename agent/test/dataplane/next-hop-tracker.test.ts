import assert from 'node:assert/strict';
import { mock } from 'node:test';
import type { IPAddress } from 'bgp-js/ip';
import { afterEach, beforeEach, describe, it } from 'mocha';
import {
  direct,
  type Encapsulation,
  type LookupRoutes,
  type NextHopGroup,
  NextHopTracker,
} from '../../dataplane/next-hop-tracker.ts';
import { KernelError } from '../../kernel/error.ts';
import { ERRNO } from '../../kernel/libc.ts';
import { ip, net } from '../addresses.ts';

/** A kernel in which every address is on link 3, until the test says otherwise. */
class FakeRoutes implements LookupRoutes {
  readonly owner = { table: 254, protocol: 179 };
  /** The errno with which a look-up fails, by address. */
  readonly failures = new Map<string, number>();
  onTopology: () => void = () => {};

  get(address: IPAddress): ReturnType<LookupRoutes['get']> {
    const errno = this.failures.get(`${address}`);
    if (errno !== undefined) throw new KernelError(`look up the route to ${address}`, errno);
    const fields = { metric: 0, table: 254, protocol: 2, source: null, flags: 0 };
    const route = {
      prefix: net('0.0.0.0/0'),
      type: 'unicast' as const,
      nextHops: [{ interface: 3 }],
      ...fields,
    };
    return { address, route, reason: '', source: null };
  }
  findLink(): null {
    return null;
  }
  open(): never {
    throw new Error('no dump is needed');
  }
  watchTopology(listener: () => void): () => void {
    this.onTopology = listener;
    return () => {};
  }
}

describe('NextHopTracker', () => {
  let routes: FakeRoutes;
  let errors: string[];
  let changed: NextHopGroup[];
  let tracker: NextHopTracker;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    routes = new FakeRoutes();
    tracker = track(direct);
  });
  afterEach(() => {
    tracker.close();
    mock.timers.reset();
  });

  function track(encapsulation: Encapsulation): NextHopTracker {
    errors = [];
    changed = [];
    return new NextHopTracker({
      routes,
      encapsulation,
      onChange: async (group) => void changed.push(group),
      onError: (error) => errors.push(error.message),
    });
  }

  it('shares one group between equal sets of next hops while it is in use', () => {
    const group = tracker.acquire([ip('10.0.0.2'), ip('10.0.0.3')]);
    assert.equal(tracker.acquire([ip('10.0.0.3'), ip('10.0.0.2'), ip('10.0.0.2')]), group);
    assert.notEqual(tracker.acquire([ip('10.0.0.2')]), group);
    tracker.release(group);
    tracker.release(group);
    assert.notEqual(tracker.acquire([ip('10.0.0.2'), ip('10.0.0.3')]), group);
  });

  it('asks the encapsulation for the target of a group', () => {
    tracker.close();
    const tunnel: Encapsulation = {
      target: (nextHop, { hops }) =>
        hops.length === 0 ? [] : [{ gateway: nextHop, interface: 99, onlink: true }],
    };
    tracker = track(tunnel);
    const { target } = tracker.acquire([ip('10.0.0.2')]);
    assert.deepEqual(target, {
      type: 'unicast',
      nextHops: [{ gateway: ip('10.0.0.2'), interface: 99, onlink: true }],
    });
  });

  it('retries a failed look-up and keeps the error from the caller', async () => {
    routes.failures.set('10.0.0.2', ERRNO.ENOBUFS);
    const group = tracker.acquire([ip('10.0.0.2')]);
    assert.deepEqual([group.target, group.targetKey], [null, null]);
    assert.match(errors.join(), /look up the route to 10\.0\.0\.2/);
    routes.failures.clear();
    mock.timers.tick(1000);
    await tracker.settled();
    assert.deepEqual(changed, [group]);
    assert.deepEqual(group.target?.nextHops, [{ gateway: ip('10.0.0.2'), interface: 3 }]);
  });

  it('treats IPv6 next hops as unreachable on a kernel without IPv6', async () => {
    routes.failures.set('2001:db8::1', ERRNO.EOPNOTSUPP);
    tracker.acquire([ip('2001:db8::1')]);
    const other = tracker.acquire([ip('10.0.0.2')]);
    const expected = { address: ip('2001:db8::1'), reason: 'this kernel has no IPv6', prefixes: 1 };
    assert.deepEqual(tracker.unresolved(), [expected]);
    routes.failures.set('10.0.0.2', ERRNO.EOPNOTSUPP);
    routes.onTopology();
    mock.timers.tick(50);
    await tracker.settled();
    assert.deepEqual(changed, [other], 'the other next hops are resolved again');
    assert.deepEqual(errors, []);
  });
});
