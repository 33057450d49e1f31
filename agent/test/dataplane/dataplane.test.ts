import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { RouteDataplane } from '../../dataplane/dataplane.ts';
import { direct } from '../../dataplane/next-hop-tracker.ts';
import { RouteSync } from '../../kernel/route-sync.ts';
import { ip, net } from '../addresses.ts';
import { TestNamespace } from '../kernel/namespaces.ts';

describe('RouteDataplane', () => {
  let namespace: TestNamespace;
  let routes: RouteSync;
  let dataplane: RouteDataplane;

  beforeEach(async () => {
    namespace = new TestNamespace();
    for (const [i, name] of ['lan', 'wan'].entries()) {
      namespace.ip(`link add ${name} type veth peer name ${name}-peer`);
      namespace.ip(`addr add 10.0.${i}.1/24 dev ${name}`);
      namespace.ip(`link set ${name}-peer up`);
      namespace.ip(`link set ${name} up`);
    }
    const onError = (error: Error) => assert.fail(error);
    routes = new RouteSync({ table: 254, netns: namespace.path, onError });
    await routes.start();
    dataplane = new RouteDataplane({ routes, encapsulation: direct, onError });
  });
  afterEach(async () => {
    dataplane?.close();
    routes?.close();
    namespace.remove();
  });

  function shown(prefix: string): string[] {
    const lines = namespace.ip(`route show exact ${prefix}`).split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  }

  async function until(condition: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 1000; i++) {
      if (condition()) return;
      await sleep(10);
    }
    assert.fail(`never happened: ${what}`);
  }

  const single = (prefix: string, hop: string) => [`${prefix} via ${hop} proto 179 metric 20`];

  it('sends packets directly to a next hop on the link', async () => {
    dataplane.set({ prefix: net('10.244.2.0/26'), nextHops: [ip('10.0.0.2')] });
    assert.equal(dataplane.state(net('10.244.2.0/26')), 'pending');
    await dataplane.settled();
    assert.equal(dataplane.state(net('10.244.2.0/26')), 'installed');
    assert.deepEqual(shown('10.244.2.0/26'), single('10.244.2.0/26', '10.0.0.2 dev lan'));
    dataplane.set({ prefix: net('10.244.2.0/26'), nextHops: [ip('10.0.1.2')] });
    await dataplane.settled();
    assert.deepEqual(shown('10.244.2.0/26'), single('10.244.2.0/26', '10.0.1.2 dev wan'));
    dataplane.delete(net('10.244.2.0/26'));
    await dataplane.settled();
    assert.deepEqual(shown('10.244.2.0/26'), []);
    assert.equal(dataplane.state(net('10.244.2.0/26')), null);
  });

  it('shares the load over next hops in ascending order', async () => {
    dataplane.set({
      prefix: net('10.244.2.0/26'),
      nextHops: [ip('10.0.1.2'), ip('10.0.0.10'), ip('10.0.0.2')],
    });
    await dataplane.settled();
    const expected = [
      '10.244.2.0/26 proto 179 metric 20',
      'nexthop via 10.0.0.2 dev lan weight 1',
      'nexthop via 10.0.0.10 dev lan weight 1',
      'nexthop via 10.0.1.2 dev wan weight 1',
    ];
    assert.deepEqual(shown('10.244.2.0/26'), expected);
    const { writes } = routes.counts();
    dataplane.set({
      prefix: net('10.244.2.0/26'),
      nextHops: [ip('10.0.0.2'), ip('10.0.1.2'), ip('10.0.0.10'), ip('10.0.0.2')],
    });
    await dataplane.settled();
    assert.equal(routes.counts().writes, writes);
  });

  it('follows the routes of other programs to a distant next hop, also when they change', async () => {
    dataplane.set({ prefix: net('10.244.2.0/26'), nextHops: [ip('192.0.2.1')] });
    await dataplane.settled();
    assert.equal(
      dataplane.state(net('10.244.2.0/26')),
      'not installed: next hop 192.0.2.1 is unreachable: no route',
    );
    assert.deepEqual(dataplane.unresolved(), [{ address: ip('192.0.2.1'), reason: 'no route', prefixes: 1 }]);
    namespace.ip('route add 192.0.2.0/24 via 10.0.0.7 proto static');
    await until(() => dataplane.state(net('10.244.2.0/26')) === 'installed', 'the static route is followed');
    assert.deepEqual(shown('10.244.2.0/26'), single('10.244.2.0/26', '10.0.0.7 dev lan'));
    namespace.ip('route add 192.0.2.1/32 via 10.0.1.7 proto 186');
    const moved = single('10.244.2.0/26', '10.0.1.7 dev wan').join();
    await until(() => shown('10.244.2.0/26').join() === moved, 'a more specific route is followed');
    namespace.ip('route replace blackhole 192.0.2.1/32 proto static');
    await until(() => shown('10.244.2.0/26').length === 0, 'a blackhole is not followed');
    await until(
      () => /unreachable: a blackhole/.test(String(dataplane.state(net('10.244.2.0/26')))),
      'the state gives the reason',
    );
    namespace.ip('route replace 192.0.2.1/32 proto static nexthop via 10.0.0.8 nexthop via 10.0.1.8');
    await until(() => shown('10.244.2.0/26').length === 3, 'all next hops of a multipath route are used');
  });

  it('never resolves a next hop through a route that it installed', async () => {
    namespace.ip('route add default via 10.0.0.254 proto static');
    dataplane.set({ prefix: net('192.0.2.0/24'), nextHops: [ip('192.0.2.1')] });
    dataplane.set({ prefix: net('10.244.2.0/26'), nextHops: [ip('10.244.3.1')] });
    dataplane.set({ prefix: net('10.244.3.0/26'), nextHops: [ip('10.0.1.2')] });
    await dataplane.settled();
    const expected = [
      single('192.0.2.0/24', '10.0.0.254 dev lan'),
      single('10.244.2.0/26', '10.0.0.254 dev lan'),
      single('10.244.3.0/26', '10.0.1.2 dev wan'),
    ];
    const all = () => ['192.0.2.0/24', '10.244.2.0/26', '10.244.3.0/26'].map(shown);
    assert.deepEqual(all(), expected);
    // A change of next hop to one that takes longer to resolve leaves no gap.
    dataplane.set({ prefix: net('10.244.3.0/26'), nextHops: [ip('10.244.2.1')] });
    assert.equal(dataplane.state(net('10.244.3.0/26')), 'pending');
    await routes.settled();
    assert.deepEqual(shown('10.244.3.0/26'), single('10.244.3.0/26', '10.0.1.2 dev wan'));
    await dataplane.settled();
    assert.deepEqual(shown('10.244.3.0/26'), single('10.244.3.0/26', '10.0.0.254 dev lan'));
    dataplane.set({ prefix: net('10.244.3.0/26'), nextHops: [ip('10.0.1.2')] });
    await dataplane.settled();
    const { writes } = routes.counts();
    for (let i = 0; i < 5; i++) {
      namespace.ip(`route add 10.77.${i}.0/24 via 10.0.0.9`);
      await sleep(60);
      await dataplane.settled();
      assert.deepEqual(all(), expected);
    }
    assert.equal(routes.counts().writes, writes, 'nothing flaps');
    dataplane.set({ prefix: net('10.244.9.0/26'), nextHops: [ip('192.0.2.77')] });
    await dataplane.settled();
    assert.deepEqual(shown('10.244.9.0/26'), single('10.244.9.0/26', '10.0.0.254 dev lan'));
    namespace.ip('route del default');
    await until(() => dataplane.unresolved().length === 3, 'all three are lost with the default route');
    await dataplane.settled();
    assert.deepEqual(all(), [[], [], single('10.244.3.0/26', '10.0.1.2 dev wan')]);
  });

  it('uses the host route of a pod, but not our blackhole or our own address', async () => {
    const lan = namespace.ip('-o link show lan').split(':')[0];
    routes.set(net('10.244.1.5/32'), 10, { type: 'unicast', nextHops: [{ interface: Number(lan) }] });
    routes.set(net('10.244.1.0/26'), 0xffff0000, { type: 'blackhole', nextHops: [] });
    await routes.settled();
    dataplane.set({ prefix: net('198.51.100.1/32'), nextHops: [ip('10.244.1.5')] });
    dataplane.set({ prefix: net('198.51.100.2/32'), nextHops: [ip('10.244.1.6')] });
    dataplane.set({ prefix: net('198.51.100.3/32'), nextHops: [ip('10.0.0.1')] });
    await dataplane.settled();
    assert.deepEqual(shown('198.51.100.1/32'), ['198.51.100.1 via 10.244.1.5 dev lan proto 179 metric 20']);
    assert.match(String(dataplane.state(net('198.51.100.2/32'))), /a blackhole route drops its packets/);
    assert.match(String(dataplane.state(net('198.51.100.3/32'))), /it is an address of this node/);
  });

  it('uses the remaining next hops when a link goes down, and all when it is up again', async () => {
    dataplane.set({ prefix: net('10.244.2.0/26'), nextHops: [ip('10.0.0.2'), ip('10.0.1.2')] });
    dataplane.set({ prefix: net('10.244.3.0/26'), nextHops: [ip('10.0.1.2')] });
    await dataplane.settled();
    assert.equal(shown('10.244.2.0/26').length, 3);
    namespace.ip('link set wan down');
    const left = single('10.244.2.0/26', '10.0.0.2 dev lan').join();
    await until(() => shown('10.244.2.0/26').join() === left, 'one next hop is left');
    await until(() => dataplane.unresolved().length === 1, 'the other is unresolved');
    assert.match(String(dataplane.state(net('10.244.3.0/26'))), /next hop 10\.0\.1\.2 is unreachable/);
    namespace.ip('link set wan up');
    await until(
      () => shown('10.244.2.0/26').length === 3 && shown('10.244.3.0/26').length === 1,
      'both are back',
    );
    assert.deepEqual(dataplane.unresolved(), []);
  });

  it('moves many prefixes with their next hop', async function () {
    this.timeout(60_000);
    const prefixes = Array.from({ length: 20_000 }, (_, i) => `20.0.${i >> 8}.${i & 255}/32`);
    namespace.ip('route add 192.0.2.1/32 via 10.0.0.7 proto static');
    for (const prefix of prefixes) dataplane.set({ prefix: net(prefix), nextHops: [ip('192.0.2.1')] });
    await dataplane.settled();
    assert.equal(routes.counts().installed, 20_000);
    namespace.ip('route replace 192.0.2.1/32 via 10.0.1.7 proto static');
    const count = () => namespace.ip('route show via 10.0.1.7 proto 179').split('\n').length - 1;
    await until(() => count() === 20_000, 'all have moved');
    for (const prefix of prefixes) dataplane.delete(net(prefix));
    await dataplane.settled();
    assert.equal(routes.counts().routes, 0);
    assert.deepEqual(dataplane.unresolved(), []);
  });

  it('refuses an entry without a next hop and keeps nothing of it', async () => {
    assert.throws(() => dataplane.set({ prefix: net('10.0.0.0/8'), nextHops: [] }), /at least one next hop/);
    assert.equal(dataplane.state(net('10.0.0.0/8')), null);
    assert.deepEqual(dataplane.unresolved(), []);
    dataplane.set({ prefix: net('10.0.0.0/8'), nextHops: [ip('10.0.0.2')] });
    await dataplane.settled();
    assert.equal(dataplane.state(net('10.0.0.0/8')), 'installed');
  });

  it('sends packets to a link-local next hop on the interface of its zone only', async () => {
    namespace.ip('addr add fe80::1/64 dev lan nodad');
    namespace.ip('addr add fe80::1/64 dev wan nodad');
    dataplane.set({ prefix: net('10.244.2.0/26'), nextHops: [ip('fe80::2%wan')] });
    dataplane.set({ prefix: net('10.244.3.0/26'), nextHops: [ip('fe80::2')] });
    dataplane.set({ prefix: net('10.244.4.0/26'), nextHops: [ip('fe80::2%none')] });
    await dataplane.settled();
    const expected = ['10.244.2.0/26 via inet6 fe80::2 dev wan proto 179 metric 20'];
    assert.deepEqual(shown('10.244.2.0/26'), expected);
    assert.match(`${dataplane.state(net('10.244.3.0/26'))}`, /link-local and its interface is unknown/);
    assert.match(`${dataplane.state(net('10.244.4.0/26'))}`, /there is no interface none/);
  });

  it('follows a route with an IPv6 gateway', async () => {
    namespace.ip('addr add fe80::1/64 dev lan nodad');
    namespace.ip('route add 192.0.2.0/24 via inet6 fe80::2 dev lan proto static');
    dataplane.set({ prefix: net('10.244.2.0/26'), nextHops: [ip('192.0.2.1')] });
    await dataplane.settled();
    assert.equal(dataplane.state(net('10.244.2.0/26')), 'installed');
    const expected = ['10.244.2.0/26 via inet6 fe80::2 dev lan proto 179 metric 20'];
    assert.deepEqual(shown('10.244.2.0/26'), expected);
    const { writes } = routes.counts();
    await routes.reconcile();
    assert.equal(routes.counts().writes, writes, 'the dump shows what was installed');
  });
});
