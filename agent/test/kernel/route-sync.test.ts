import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { KernelError } from '../../kernel/error.ts';
import { findLink } from '../../kernel/link.ts';
import type { RouteTarget } from '../../kernel/route.ts';
import type { RouteEvent } from '../../kernel/route-store.ts';
import { RouteSync, type RouteSyncOptions } from '../../kernel/route-sync.ts';
import { run, TestNamespace } from './namespaces.ts';

const VIA_2: RouteTarget = { type: 'unicast', nextHops: [{ gateway: '10.0.0.2' }] };
const VIA_3: RouteTarget = { type: 'unicast', nextHops: [{ gateway: '10.0.0.3' }] };
const BLACKHOLE: RouteTarget = { type: 'blackhole', nextHops: [] };

describe('RouteSync', () => {
  let namespace: TestNamespace;
  let syncs: RouteSync[];
  let events: RouteEvent[];
  let lan: number;

  beforeEach(() => {
    syncs = [];
    events = [];
    namespace = new TestNamespace();
    namespace.ip('link add lan type veth peer name lan-peer');
    namespace.ip('addr add 10.0.0.1/24 dev lan');
    namespace.ip('link set lan-peer up');
    namespace.ip('link set lan up');
    const netlink = namespace.open();
    lan = findLink(netlink, 'lan')?.index ?? 0;
    netlink.close();
  });
  afterEach(async () => {
    for (const sync of syncs) sync.close();
    namespace.remove();
  });

  /** A started RouteSync in the namespace. */
  async function start(options: Partial<RouteSyncOptions> = {}): Promise<RouteSync> {
    const sync = new RouteSync({
      table: 254,
      netns: namespace.path,
      onRoute: (event) => events.push(event),
      onError: (error) => assert.fail(error),
      ...options,
    });
    syncs.push(sync);
    await sync.start();
    return sync;
  }

  /** What the kernel has for a prefix, without trailing blanks. */
  function shown(prefix: string, table = 'main'): string[] {
    const lines = namespace.ip(`route show exact ${prefix} table ${table}`).split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  }

  /** Waits until `condition` holds; the limit only ends a test that would hang. */
  async function until(condition: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 1000; i++) {
      if (condition()) return;
      await sleep(10);
    }
    assert.fail(`never happened: ${what}`);
  }

  it('installs, changes and deletes', async () => {
    const sync = await start();
    sync.set('10.244.2.0/26', 20, VIA_2);
    assert.equal(sync.state('10.244.2.0/26', 20), 'pending');
    await sync.whenInstalled('10.244.2.0/26', 20);
    assert.equal(sync.state('10.244.2.0/26'), 'installed');
    assert.deepEqual(shown('10.244.2.0/26'), ['10.244.2.0/26 via 10.0.0.2 dev lan proto 179 metric 20']);

    sync.set('10.244.2.0/26', 20, VIA_3);
    await sync.settled();
    assert.deepEqual(shown('10.244.2.0/26'), ['10.244.2.0/26 via 10.0.0.3 dev lan proto 179 metric 20']);

    sync.delete('10.244.2.0/26', 20);
    await sync.settled();
    assert.deepEqual(shown('10.244.2.0/26'), []);
    assert.equal(sync.state('10.244.2.0/26', 20), null);
    assert.equal(sync.counts().routes, 0);
    assert.deepEqual(
      events.map(({ what }) => what),
      ['installed', 'installed', 'removed'],
    );
  });

  it('shares the load over several next hops', async () => {
    const sync = await start();
    const nextHops = [{ gateway: '10.0.0.2', interface: lan }, { gateway: '10.0.0.3' }];
    sync.set('10.244.2.0/26', 20, { type: 'unicast', nextHops });
    await sync.whenInstalled('10.244.2.0/26', 20);
    assert.deepEqual(shown('10.244.2.0/26'), [
      '10.244.2.0/26 proto 179 metric 20',
      'nexthop via 10.0.0.2 dev lan weight 1',
      'nexthop via 10.0.0.3 dev lan weight 1',
    ]);
    const before = sync.counts().writes;
    await sync.reconcile();
    assert.equal(sync.counts().writes, before, 'a dump recognises what it wrote');
  });

  it('keeps a blackhole beside the host route for the same prefix, also while one of them goes', async () => {
    const sync = await start();
    const onLink: RouteTarget = { type: 'unicast', nextHops: [{ interface: lan }] };
    const set = () => {
      sync.set('10.244.1.7/32', 0xffff0000, BLACKHOLE);
      sync.set('10.244.1.7/32', 0, onLink);
    };
    set();
    await sync.settled();
    const host = '10.244.1.7 dev lan proto 179 scope link';
    const hole = 'blackhole 10.244.1.7 proto 179 metric 4294901760';
    assert.deepEqual(shown('10.244.1.7/32'), [host, hole]);
    sync.delete('10.244.1.7/32', 0);
    await sync.settled();
    assert.deepEqual(shown('10.244.1.7/32'), [hole]);
    set();
    sync.delete('10.244.1.7/32', 0xffff0000);
    await sync.settled();
    assert.deepEqual(shown('10.244.1.7/32'), [host]);
    namespace.ip('route del 10.244.1.7/32 metric 0');
    sync.set('10.244.1.7/32', 0xffff0000, BLACKHOLE);
    sync.delete('10.244.1.7/32', 0);
    await sync.settled();
    assert.deepEqual(
      shown('10.244.1.7/32'),
      [hole],
      'deleting metric 0 does not take another metric with it',
    );
  });

  it('deletes a route of metric 0 only, although the kernel takes 0 for any', async () => {
    namespace.ip('link add pod type veth peer name pod-peer');
    namespace.ip('link set pod-peer up');
    namespace.ip('link set pod up');
    const netlink = namespace.open();
    const pod = findLink(netlink, 'pod')?.index ?? 0;
    netlink.close();
    const sync = await start();
    sync.set('10.244.1.7/32', 0, { type: 'unicast', nextHops: [{ interface: pod }] });
    sync.set('10.244.1.7/32', 20, VIA_2);
    await sync.settled();
    assert.equal(shown('10.244.1.7/32').length, 2);
    // The pod goes and its address comes up elsewhere: the link takes its route along, unsaid.
    namespace.ip('link set pod down');
    sync.delete('10.244.1.7/32', 0);
    await sync.settled();
    assert.deepEqual(shown('10.244.1.7/32'), ['10.244.1.7 via 10.0.0.2 dev lan proto 179 metric 20']);
  });

  it("puts back what somebody deleted or changed, on the kernel's word", async () => {
    const sync = await start();
    sync.set('10.244.2.0/26', 20, VIA_2);
    await sync.settled();
    const right = shown('10.244.2.0/26');
    const attacks = [
      'route del 10.244.2.0/26 metric 20',
      'route change 10.244.2.0/26 via 10.0.0.9 metric 20 proto 179',
      'route replace 10.244.2.0/26 via 10.0.0.9 metric 20',
      'route replace blackhole 10.244.2.0/26 metric 20 proto 179',
    ];
    for (const [i, attack] of attacks.entries()) {
      namespace.ip(attack);
      assert.notDeepEqual(shown('10.244.2.0/26'), right, attack);
      await until(
        () => events.filter(({ what }) => what === 'lost').length === i + 1,
        `${attack} is noticed`,
      );
      await sync.settled();
      assert.deepEqual(shown('10.244.2.0/26'), right, attack);
    }
    assert.equal(sync.counts().losses, attacks.length);
  });

  it('leaves the routes of others alone', async () => {
    namespace.ip('route add 10.1.0.0/16 via 10.0.0.8 proto static metric 20');
    namespace.ip('route add 10.2.0.0/16 via 10.0.0.8 proto 186 metric 20');
    namespace.ip('route add 10.3.0.0/16 via 10.0.0.8 proto 179 table 100');
    const foreign = () =>
      ['10.1.0.0/16', '10.2.0.0/16'].map((prefix) => shown(prefix)).concat([shown('10.3.0.0/16', '100')]);
    const before = foreign();
    assert.ok(before.every((lines) => lines.length === 1));
    const sync = await start();
    sync.set('10.1.0.0/16', 20, VIA_2);
    await assert.rejects(sync.whenInstalled('10.1.0.0/16', 20), (error) => {
      assert.ok(error instanceof KernelError);
      assert.equal(error.code, 'EEXIST');
      assert.match(error.message, /another route with metric 20 is in its place/);
      return true;
    });
    sync.set('10.2.0.0/16', 20, VIA_2);
    sync.set('10.3.0.0/16', 20, VIA_2);
    await sync.settled();
    sync.delete('10.1.0.0/16', 20);
    sync.delete('10.2.0.0/16', 20);
    sync.delete('10.3.0.0/16', 20);
    sync.releaseStale();
    await sync.reconcile();
    assert.deepEqual(foreign(), before);
  });

  it('takes the place of a foreign route once that is gone', async () => {
    namespace.ip('route add 10.1.0.0/16 via 10.0.0.8 proto static metric 20');
    const sync = await start();
    sync.set('10.1.0.0/16', 20, VIA_2);
    await sync.settled();
    assert.match(String(sync.state('10.1.0.0/16', 20)), /in its place/);
    namespace.ip('route del 10.1.0.0/16 metric 20');
    await until(() => sync.state('10.1.0.0/16', 20) === 'installed', 'the route is installed');
    assert.match(shown('10.1.0.0/16')[0], /via 10\.0\.0\.2 dev lan proto 179/);
  });

  it("reports the kernel's own words, and tries again when the network changes", async () => {
    const sync = await start();
    const beyond: RouteTarget = { type: 'unicast', nextHops: [{ gateway: '192.0.2.1' }] };
    sync.set('10.244.3.0/26', 20, beyond);
    sync.set('10.244.2.0/26', 20, VIA_2);
    await assert.rejects(sync.whenInstalled('10.244.3.0/26', 20), {
      name: 'KernelError',
      message: 'cannot install route 10.244.3.0/26 via 192.0.2.1: Nexthop has invalid gateway (ENETUNREACH)',
    });
    await sync.whenInstalled('10.244.2.0/26', 20);
    assert.equal(sync.counts().failed, 1);
    assert.match(String(sync.state('10.244.3.0/26', 20)), /Nexthop has invalid gateway/);
    namespace.ip('addr add 192.0.2.9/24 dev lan');
    await until(() => sync.state('10.244.3.0/26', 20) === 'installed', 'the route is installed');
    assert.equal(events.filter(({ what }) => what === 'failed').length, 1);
  });

  it('comes back after its link was down, of which the kernel says nothing about routes', async () => {
    const sync = await start();
    sync.set('10.244.2.0/26', 20, VIA_2);
    sync.set('10.244.1.5/32', 20, { type: 'unicast', nextHops: [{ interface: lan }] });
    await sync.settled();
    namespace.ip('link set lan down');
    assert.deepEqual(shown('10.244.2.0/26'), []);
    await until(() => sync.counts().failed === 2, 'the loss is noticed');
    namespace.ip('link set lan up');
    await until(() => sync.counts().installed === 2, 'both are back');
    assert.equal(shown('10.244.2.0/26').length, 1);
    assert.equal(shown('10.244.1.5/32').length, 1);
  });

  it('keeps the routes of a former run until they are released', async () => {
    const former = await start();
    former.set('10.244.2.0/26', 20, VIA_2);
    former.set('10.244.3.0/26', 20, VIA_2);
    former.set('10.244.4.0/26', 20, VIA_2);
    former.set('10.244.5.0/26', 20, VIA_2);
    former.set('10.244.1.0/26', 900, BLACKHOLE);
    await former.settled();
    former.close();

    const sync = await start();
    assert.equal(sync.counts().stale, 5);
    assert.equal(sync.state('10.244.2.0/26', 20), 'stale');
    sync.set('10.244.2.0/26', 20, VIA_2);
    sync.set('10.244.3.0/26', 20, VIA_3);
    sync.delete('10.244.4.0/26', 20);
    await sync.settled();
    assert.equal(sync.counts().writes, 2, 'what is right already is not written again');
    assert.match(shown('10.244.3.0/26')[0], /via 10\.0\.0\.3/);
    assert.deepEqual(shown('10.244.4.0/26'), []);
    await sync.reconcile();
    assert.equal(shown('10.244.5.0/26').length, 1);

    assert.equal(sync.releaseStale(), 2);
    await sync.settled();
    assert.deepEqual(shown('10.244.5.0/26'), []);
    assert.deepEqual(shown('10.244.1.0/26'), []);
    assert.equal(shown('10.244.2.0/26').length, 1);
    namespace.ip('route add 10.244.9.0/26 via 10.0.0.2 proto 179');
    await until(() => shown('10.244.9.0/26').length === 0, 'what nobody wants is pruned from then on');
  });

  it('accepts wishes before it starts', async () => {
    const sync = new RouteSync({ table: 254, netns: namespace.path });
    syncs.push(sync);
    sync.set('10.244.2.0/26', 20, VIA_2);
    const installed = sync.whenInstalled('10.244.2.0/26', 20);
    await sync.start();
    await installed;
    assert.equal(shown('10.244.2.0/26').length, 1);
  });

  it('settles promises whose route is given up', async () => {
    const sync = await start();
    sync.set('10.244.2.0/26', 20, VIA_2);
    const given = sync.whenInstalled('10.244.2.0/26', 20);
    sync.delete('10.244.2.0/26', 20);
    await assert.rejects(given, /not wanted any more/);
    await assert.rejects(sync.whenInstalled('10.244.9.0/26', 20), /is not wanted/);
    sync.set('10.244.2.0/26', 20, VIA_2);
    const stopped = assert.rejects(sync.whenInstalled('10.244.2.0/26', 20), /stopping/);
    sync.close();
    await stopped;
    await assert.rejects(sync.whenInstalled('10.244.2.0/26', 20), /stopping/);
  });

  it('ends with the last wish when wishes come faster than they are written', async () => {
    const sync = await start();
    const targets = [VIA_2, VIA_3, BLACKHOLE, null];
    const prefixes = Array.from({ length: 40 }, (_, i) => `10.99.${i}.0/24`);
    const last = new Map<string, RouteTarget | null>();
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < prefixes.length; i++) {
        const target = targets[(round * 7 + i * 13 + ((round * i) % 5)) % targets.length];
        if (target) sync.set(prefixes[i], 20, target);
        else sync.delete(prefixes[i], 20);
        last.set(prefixes[i], target);
      }
      if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await sync.settled();
    const check = () => {
      for (const [prefix, target] of last) {
        const expected =
          target === null
            ? /^$/
            : target === BLACKHOLE
              ? /^blackhole/
              : new RegExp(`via ${target.nextHops[0].gateway} `);
        assert.match(shown(prefix).join('\n'), expected, prefix);
      }
    };
    check();
    const { writes } = sync.counts();
    await sync.reconcile();
    assert.equal(sync.counts().writes, writes, 'memory and kernel agree');
  });

  it('refuses malformed wishes', async () => {
    const sync = await start();
    for (const prefix of [
      '10.0.0.0',
      '10.0.0.1/24',
      '10.0.0.0/33',
      '256.0.0.0/8',
      '010.0.0.0/8',
      '10.0.0.0/08',
      '::/0',
      '',
    ]) {
      assert.throws(() => sync.set(prefix, 20, VIA_2), TypeError, prefix);
    }
    assert.throws(() => sync.set('10.0.0.0/8', -1, VIA_2), TypeError);
    assert.throws(() => sync.set('10.0.0.0/8', 20, { type: 'unicast', nextHops: [] }), TypeError);
    assert.throws(
      () => sync.set('10.0.0.0/8', 20, { type: 'blackhole', nextHops: [{ interface: 1 }] }),
      TypeError,
    );
    assert.throws(() => sync.set('10.0.0.0/8', 20, { type: 'unicast', nextHops: [{}] }), TypeError);
    assert.equal(sync.counts().routes, 0);
  });

  it('works in a table of its own', async () => {
    const sync = await start({ table: 1179 });
    sync.set('0.0.0.0/0', 20, VIA_2);
    await sync.whenInstalled('0.0.0.0/0', 20);
    await sync.reconcile();
    assert.equal(sync.counts().losses, 0);
    assert.equal(shown('0.0.0.0/0', '1179').length, 1);
    assert.deepEqual(shown('0.0.0.0/0'), []);
    sync.delete('0.0.0.0/0', 20);
    await sync.settled();
    assert.deepEqual(shown('0.0.0.0/0', '1179'), []);
  });

  it('says what the kernel would do with an address', async () => {
    const sync = await start();
    sync.set('10.244.2.0/26', 20, VIA_2);
    sync.set('10.244.1.0/26', 900, BLACKHOLE);
    await sync.settled();
    const through = sync.get('10.244.2.9');
    assert.equal(through.route?.prefix, '10.244.2.0/26');
    assert.equal(through.route?.protocol, 179);
    assert.deepEqual(through.route?.nextHops, [{ gateway: '10.0.0.2', interface: lan }]);
    assert.equal(through.source, '10.0.0.1');
    assert.equal(sync.get('10.0.0.1').route?.type, 'local');
    assert.deepEqual(sync.get('10.244.1.9').reason, 'a blackhole route swallows it');
    assert.deepEqual(sync.get('198.51.100.1').reason, 'no route covers it');
    assert.equal(sync.get('198.51.100.1').route, null);
  });

  it('recovers when the kernel dropped notifications', async function () {
    this.timeout(60_000);
    const sync = await start();
    for (let i = 0; i < 30_000; i++) sync.set(`20.0.${i >> 8}.${i & 255}/32`, 20, VIA_2);
    await sync.settled();
    assert.equal(sync.counts().installed, 30_000);
    // Runs while this process is blocked, so that nobody empties the socket's queue.
    namespace.ip('route flush proto 179');
    namespace.ip('route add 20.1.0.0/16 via 10.0.0.2 proto 179');
    assert.equal(shown('20.0.0.9/32').length, 0);
    sync.releaseStale();
    const isWhole = () => shown('20.0.117.47/32').length === 1 && shown('20.0.0.0/32').length === 1;
    await until(isWhole, 'all routes are back');
    await sync.settled();
    assert.ok(sync.counts().overruns > 0, 'the queue was too small for the test');
    await until(
      () => run('ip', '-n', namespace.name, 'route', 'show', 'proto', '179').split('\n').length === 30_001,
      'exactly ours',
    );
  });

  it('puts 100,000 routes in and takes them out', async function () {
    this.timeout(60_000);
    const sync = await start();
    const prefixes = Array.from(
      { length: 100_000 },
      (_, i) => `20.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`,
    );
    for (const prefix of prefixes) sync.set(prefix, 20, VIA_2);
    await sync.settled();
    assert.equal(sync.counts().installed, 100_000);
    assert.equal(sync.counts().overruns, 0, 'its own changes are no events');
    await sync.reconcile();
    assert.equal(sync.counts().writes, 100_000);
    for (const prefix of prefixes) sync.delete(prefix, 20);
    await sync.settled();
    assert.equal(sync.counts().routes, 0);
    assert.equal(namespace.ip('route show proto 179'), '');
  });
});
