import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { MESSAGE } from '../../kernel/constants.ts';
import { findLink } from '../../kernel/link.ts';
import { Monitor } from '../../kernel/monitor.ts';
import { Netlink } from '../../kernel/netlink.ts';
import { withNetns } from '../../kernel/netns.ts';
import { parseRoute } from '../../kernel/route.ts';
import { addRoute } from '../../kernel/route-request.ts';
import { net } from '../addresses.ts';
import { TestNamespace } from './namespaces.ts';

describe('Monitor', () => {
  let namespace: TestNamespace;
  let received: string[];
  let monitors: Monitor[];

  beforeEach(() => {
    namespace = new TestNamespace();
    namespace.ip('link add lan type veth peer name lan-peer');
    received = [];
    monitors = [];
  });
  afterEach(() => {
    for (const monitor of monitors) monitor.close();
    namespace.remove();
  });

  function listen(ignorePort?: number, queueBytes?: number): void {
    const events = {
      link: ({ name, up }: { name: string; up: boolean }, gone: boolean) => {
        received.push(`link ${name} ${gone ? 'gone' : up ? 'up' : 'down'}`);
      },
      address: (gone: boolean) => received.push(`address ${gone ? 'gone' : 'new'}`),
      route: (type: number, buffer: Buffer, start: number, end: number) => {
        const route = parseRoute(buffer, start, end);
        received.push(`route ${route?.prefix} ${type === MESSAGE.DELROUTE ? 'gone' : 'new'}`);
      },
      overrun: () => received.push('overrun'),
      error: (error: Error) => received.push(error.message),
    };
    monitors.push(withNetns(namespace.path, () => new Monitor(events, ignorePort, queueBytes)));
  }

  async function until(what: string): Promise<void> {
    for (let i = 0; i < 1000; i++) {
      if (received.includes(what)) return;
      await sleep(10);
    }
    assert.fail(`never received "${what}", only ${received.join(', ')}`);
  }

  it('reports links, addresses and routes', async () => {
    listen();
    namespace.ip('link set lan up');
    namespace.ip('addr add 10.0.0.1/24 dev lan');
    namespace.ip('route add 10.9.0.0/16 dev lan');
    namespace.ip('route del 10.9.0.0/16');
    namespace.ip('addr del 10.0.0.1/24 dev lan');
    namespace.ip('link del lan');
    await until('link lan gone');
    const expected = [
      'link lan up',
      'address new',
      'route 10.9.0.0/16 new',
      'route 10.9.0.0/16 gone',
      'address gone',
    ];
    for (const what of expected) assert.ok(received.includes(what), `${what}: ${received}`);
  });

  it('skips the route changes of the ignored socket', async () => {
    const [ignored, other] = [namespace.open(), namespace.open()];
    try {
      listen(ignored.port);
      const add = (netlink: Netlink, text: string) =>
        addRoute(
          netlink,
          { table: 254, protocol: 179 },
          { prefix: net(text), metric: 0, type: 'blackhole', nextHops: [] },
        );
      add(ignored, '10.1.0.0/16');
      add(other, '10.2.0.0/16');
      add(ignored, '10.3.0.0/16');
      add(other, '10.4.0.0/16');
      await until('route 10.4.0.0/16 new');
      assert.deepEqual(received, ['route 10.2.0.0/16 new', 'route 10.4.0.0/16 new']);
    } finally {
      ignored.close();
      other.close();
    }
  });

  it('reports lost events and continues with later ones', async () => {
    listen(undefined, 4096);
    for (let round = 0; round < 2; round++) {
      received.length = 0;
      // Runs while this process is blocked, so that the queue fills up.
      for (let i = 0; i < 20; i++) namespace.ip(`route replace blackhole 10.${i}.0.0/16 metric ${round}`);
      await until('overrun');
      await sleep(20);
      namespace.ip(`addr add 10.0.0.${round + 1}/24 dev lan`);
      await until('address new');
    }
  });

  it('can be closed at any time, also from its callbacks', async () => {
    const netlink = withNetns(namespace.path, () => new Netlink());
    netlink.close();
    netlink.close();
    assert.throws(() => findLink(netlink, 'lan'), /is closed/);
    let closed = 0;
    const close = () => {
      closed++;
      monitor.close();
      monitor.close();
    };
    const ignore = () => {};
    const monitor = withNetns(
      namespace.path,
      () => new Monitor({ link: close, address: ignore, route: ignore, overrun: ignore, error: assert.fail }),
    );
    listen();
    namespace.ip('link set lan up');
    namespace.ip('link set lan down');
    namespace.ip('addr add 10.0.0.1/24 dev lan');
    await until('address new');
    assert.ok(closed >= 1);
  });
});
