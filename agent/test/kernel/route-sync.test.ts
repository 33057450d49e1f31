import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { KernelError } from '../../kernel/error.ts';
import { findLink } from '../../kernel/link.ts';
import type { RouteTarget } from '../../kernel/route.ts';
import { ip, net } from '../addresses.ts';
import { BLACKHOLE, RouteLab, VIA_2, VIA_3 } from './route-lab.ts';

describe('RouteSync', () => {
  const lab = new RouteLab();

  it('installs, changes and deletes a route', async () => {
    const sync = await lab.start();
    sync.set(net('10.244.2.0/26'), 20, VIA_2);
    assert.equal(sync.state(net('10.244.2.0/26'), 20), 'pending');
    await sync.whenInstalled(net('10.244.2.0/26'), 20);
    assert.equal(sync.state(net('10.244.2.0/26')), 'installed');
    assert.deepEqual(lab.shown('10.244.2.0/26'), ['10.244.2.0/26 via 10.0.0.2 dev lan proto 179 metric 20']);

    sync.set(net('10.244.2.0/26'), 20, VIA_3);
    await sync.settled();
    assert.deepEqual(lab.shown('10.244.2.0/26'), ['10.244.2.0/26 via 10.0.0.3 dev lan proto 179 metric 20']);

    sync.delete(net('10.244.2.0/26'), 20);
    await sync.settled();
    assert.deepEqual(lab.shown('10.244.2.0/26'), []);
    assert.equal(sync.state(net('10.244.2.0/26'), 20), null);
    assert.equal(sync.counts().routes, 0);
    assert.deepEqual(
      lab.events.map(({ what }) => what),
      ['installed', 'installed', 'removed'],
    );
  });

  it('shares the load over several next hops', async () => {
    const sync = await lab.start();
    const nextHops = [{ gateway: ip('10.0.0.2'), interface: lab.lan }, { gateway: ip('10.0.0.3') }];
    sync.set(net('10.244.2.0/26'), 20, { type: 'unicast', nextHops });
    await sync.whenInstalled(net('10.244.2.0/26'), 20);
    assert.deepEqual(lab.shown('10.244.2.0/26'), [
      '10.244.2.0/26 proto 179 metric 20',
      'nexthop via 10.0.0.2 dev lan weight 1',
      'nexthop via 10.0.0.3 dev lan weight 1',
    ]);
    const before = sync.counts().writes;
    await sync.reconcile();
    assert.equal(sync.counts().writes, before, 'a dump recognises what it wrote');
  });

  it('keeps a blackhole and a host route for the same prefix apart, also when one is deleted', async () => {
    const sync = await lab.start();
    const onLink: RouteTarget = { type: 'unicast', nextHops: [{ interface: lab.lan }] };
    const set = () => {
      sync.set(net('10.244.1.7/32'), 0xffff0000, BLACKHOLE);
      sync.set(net('10.244.1.7/32'), 0, onLink);
    };
    set();
    await sync.settled();
    const host = '10.244.1.7 dev lan proto 179 scope link';
    const hole = 'blackhole 10.244.1.7 proto 179 metric 4294901760';
    assert.deepEqual(lab.shown('10.244.1.7/32'), [host, hole]);
    sync.delete(net('10.244.1.7/32'), 0);
    await sync.settled();
    assert.deepEqual(lab.shown('10.244.1.7/32'), [hole]);
    set();
    sync.delete(net('10.244.1.7/32'), 0xffff0000);
    await sync.settled();
    assert.deepEqual(lab.shown('10.244.1.7/32'), [host]);
    lab.namespace.ip('route del 10.244.1.7/32 metric 0');
    sync.set(net('10.244.1.7/32'), 0xffff0000, BLACKHOLE);
    sync.delete(net('10.244.1.7/32'), 0);
    await sync.settled();
    assert.deepEqual(
      lab.shown('10.244.1.7/32'),
      [hole],
      'deleting metric 0 does not take another metric with it',
    );
  });

  it('deletes only the route of metric 0, which the kernel reads as every metric', async () => {
    lab.namespace.ip('link add pod type veth peer name pod-peer');
    lab.namespace.ip('link set pod-peer up');
    lab.namespace.ip('link set pod up');
    const netlink = lab.namespace.open();
    const pod = findLink(netlink, 'pod')?.index ?? 0;
    netlink.close();
    const sync = await lab.start();
    sync.set(net('10.244.1.7/32'), 0, { type: 'unicast', nextHops: [{ interface: pod }] });
    sync.set(net('10.244.1.7/32'), 20, VIA_2);
    await sync.settled();
    assert.equal(lab.shown('10.244.1.7/32').length, 2);
    // The pod is deleted and its address is learned from another node. Its route goes with the link, without an event.
    lab.namespace.ip('link set pod down');
    sync.delete(net('10.244.1.7/32'), 0);
    await sync.settled();
    assert.deepEqual(lab.shown('10.244.1.7/32'), ['10.244.1.7 via 10.0.0.2 dev lan proto 179 metric 20']);
  });

  it('restores routes that another program deleted or changed, by the kernel events', async () => {
    const sync = await lab.start();
    sync.set(net('10.244.2.0/26'), 20, VIA_2);
    await sync.settled();
    const right = lab.shown('10.244.2.0/26');
    const attacks = [
      'route del 10.244.2.0/26 metric 20',
      'route change 10.244.2.0/26 via 10.0.0.9 metric 20 proto 179',
      'route replace 10.244.2.0/26 via 10.0.0.9 metric 20',
      'route replace blackhole 10.244.2.0/26 metric 20 proto 179',
    ];
    for (const [i, attack] of attacks.entries()) {
      lab.namespace.ip(attack);
      assert.notDeepEqual(lab.shown('10.244.2.0/26'), right, attack);
      await lab.until(
        () => lab.events.filter(({ what }) => what === 'lost').length === i + 1,
        `${attack} is noticed`,
      );
      await sync.settled();
      assert.deepEqual(lab.shown('10.244.2.0/26'), right, attack);
    }
    assert.equal(sync.counts().losses, attacks.length);
  });

  it('does not touch the routes of other programs', async () => {
    lab.namespace.ip('route add 10.1.0.0/16 via 10.0.0.8 proto static metric 20');
    lab.namespace.ip('route add 10.2.0.0/16 via 10.0.0.8 proto 186 metric 20');
    lab.namespace.ip('route add 10.3.0.0/16 via 10.0.0.8 proto 179 table 100');
    const foreign = () =>
      ['10.1.0.0/16', '10.2.0.0/16']
        .map((prefix) => lab.shown(prefix))
        .concat([lab.shown('10.3.0.0/16', '100')]);
    const before = foreign();
    assert.ok(before.every((lines) => lines.length === 1));
    const sync = await lab.start();
    sync.set(net('10.1.0.0/16'), 20, VIA_2);
    await assert.rejects(sync.whenInstalled(net('10.1.0.0/16'), 20), (error) => {
      assert.ok(error instanceof KernelError);
      assert.equal(error.code, 'EEXIST');
      assert.match(error.message, /another program's route has this prefix and metric 20/);
      return true;
    });
    sync.set(net('10.2.0.0/16'), 20, VIA_2);
    sync.set(net('10.3.0.0/16'), 20, VIA_2);
    await sync.settled();
    sync.delete(net('10.1.0.0/16'), 20);
    sync.delete(net('10.2.0.0/16'), 20);
    sync.delete(net('10.3.0.0/16'), 20);
    sync.releaseStale();
    await sync.reconcile();
    assert.deepEqual(foreign(), before);
  });

  it('installs its route once a conflicting one is gone', async () => {
    lab.namespace.ip('route add 10.1.0.0/16 via 10.0.0.8 proto static metric 20');
    const sync = await lab.start();
    sync.set(net('10.1.0.0/16'), 20, VIA_2);
    await sync.settled();
    assert.match(String(sync.state(net('10.1.0.0/16'), 20)), /another program's route/);
    lab.namespace.ip('route del 10.1.0.0/16 metric 20');
    await lab.until(() => sync.state(net('10.1.0.0/16'), 20) === 'installed', 'the route is installed');
    assert.match(lab.shown('10.1.0.0/16')[0], /via 10\.0\.0\.2 dev lan proto 179/);
  });

  it("reports the kernel's error text and retries when the network changes", async () => {
    const sync = await lab.start();
    const beyond: RouteTarget = { type: 'unicast', nextHops: [{ gateway: ip('192.0.2.1') }] };
    sync.set(net('10.244.3.0/26'), 20, beyond);
    sync.set(net('10.244.2.0/26'), 20, VIA_2);
    await assert.rejects(sync.whenInstalled(net('10.244.3.0/26'), 20), {
      name: 'KernelError',
      message: 'cannot install route 10.244.3.0/26 via 192.0.2.1: Nexthop has invalid gateway (ENETUNREACH)',
    });
    await sync.whenInstalled(net('10.244.2.0/26'), 20);
    assert.equal(sync.counts().failed, 1);
    assert.match(String(sync.state(net('10.244.3.0/26'), 20)), /Nexthop has invalid gateway/);
    lab.namespace.ip('addr add 192.0.2.9/24 dev lan');
    await lab.until(() => sync.state(net('10.244.3.0/26'), 20) === 'installed', 'the route is installed');
    assert.equal(lab.events.filter(({ what }) => what === 'failed').length, 1);
  });

  it('restores routes after a link was down, for which the kernel reports no route events', async () => {
    const sync = await lab.start();
    sync.set(net('10.244.2.0/26'), 20, VIA_2);
    sync.set(net('10.244.1.5/32'), 20, { type: 'unicast', nextHops: [{ interface: lab.lan }] });
    await sync.settled();
    lab.namespace.ip('link set lan down');
    assert.deepEqual(lab.shown('10.244.2.0/26'), []);
    await lab.until(() => sync.counts().failed === 2, 'the loss is noticed');
    lab.namespace.ip('link set lan up');
    await lab.until(() => sync.counts().installed === 2, 'both are back');
    assert.equal(lab.shown('10.244.2.0/26').length, 1);
    assert.equal(lab.shown('10.244.1.5/32').length, 1);
  });

  it('keeps the routes of the previous run until they are released', async () => {
    const former = await lab.start();
    former.set(net('10.244.2.0/26'), 20, VIA_2);
    former.set(net('10.244.3.0/26'), 20, VIA_2);
    former.set(net('10.244.4.0/26'), 20, VIA_2);
    former.set(net('10.244.5.0/26'), 20, VIA_2);
    former.set(net('10.244.1.0/26'), 900, BLACKHOLE);
    await former.settled();
    former.close();

    const sync = await lab.start();
    assert.equal(sync.counts().stale, 5);
    assert.equal(sync.state(net('10.244.2.0/26'), 20), 'stale');
    sync.set(net('10.244.2.0/26'), 20, VIA_2);
    sync.set(net('10.244.3.0/26'), 20, VIA_3);
    sync.delete(net('10.244.4.0/26'), 20);
    await sync.settled();
    assert.equal(sync.counts().writes, 2, 'routes that are right already are not written');
    assert.match(lab.shown('10.244.3.0/26')[0], /via 10\.0\.0\.3/);
    assert.deepEqual(lab.shown('10.244.4.0/26'), []);
    await sync.reconcile();
    assert.equal(lab.shown('10.244.5.0/26').length, 1);

    assert.equal(sync.releaseStale(), 2);
    await sync.settled();
    assert.deepEqual(lab.shown('10.244.5.0/26'), []);
    assert.deepEqual(lab.shown('10.244.1.0/26'), []);
    assert.equal(lab.shown('10.244.2.0/26').length, 1);
    lab.namespace.ip('route add 10.244.9.0/26 via 10.0.0.2 proto 179');
    await lab.until(
      () => lab.shown('10.244.9.0/26').length === 0,
      'from then on routes that are not wanted are deleted',
    );
  });

  it('accepts routes before it starts', async () => {
    const sync = lab.make();
    sync.set(net('10.244.2.0/26'), 20, VIA_2);
    const installed = sync.whenInstalled(net('10.244.2.0/26'), 20);
    await sync.start();
    await installed;
    assert.equal(lab.shown('10.244.2.0/26').length, 1);
  });

  it('settles the promises of removed routes', async () => {
    const sync = await lab.start();
    sync.set(net('10.244.2.0/26'), 20, VIA_2);
    const given = sync.whenInstalled(net('10.244.2.0/26'), 20);
    sync.delete(net('10.244.2.0/26'), 20);
    await assert.rejects(given, /was removed/);
    await assert.rejects(sync.whenInstalled(net('10.244.9.0/26'), 20), /is not wanted/);
    sync.set(net('10.244.2.0/26'), 20, VIA_2);
    const stopped = assert.rejects(sync.whenInstalled(net('10.244.2.0/26'), 20), /stopping/);
    sync.close();
    await stopped;
    await assert.rejects(sync.whenInstalled(net('10.244.2.0/26'), 20), /stopping/);
  });

  it('ends in the last desired state when changes come faster than writes', async () => {
    const sync = await lab.start();
    const targets = [VIA_2, VIA_3, BLACKHOLE, null];
    const prefixes = Array.from({ length: 40 }, (_, i) => `10.99.${i}.0/24`);
    const last = new Map<string, RouteTarget | null>();
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < prefixes.length; i++) {
        const target = targets[(round * 7 + i * 13 + ((round * i) % 5)) % targets.length];
        if (target) sync.set(net(prefixes[i]), 20, target);
        else sync.delete(net(prefixes[i]), 20);
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
        assert.match(lab.shown(prefix).join('\n'), expected, prefix);
      }
    };
    check();
    const { writes } = sync.counts();
    await sync.reconcile();
    assert.equal(sync.counts().writes, writes, 'memory and kernel agree');
  });

  it('refuses malformed routes', async () => {
    const sync = await lab.start();
    assert.throws(() => sync.set(net('2001:db8::/32'), 20, VIA_2), /IPv6 routes cannot be installed yet/);
    assert.throws(() => sync.set(net('10.0.0.0/8'), -1, VIA_2), TypeError);
    assert.throws(() => sync.set(net('10.0.0.0/8'), 20, { type: 'unicast', nextHops: [] }), TypeError);
    assert.throws(
      () => sync.set(net('10.0.0.0/8'), 20, { type: 'blackhole', nextHops: [{ interface: 1 }] }),
      TypeError,
    );
    assert.throws(() => sync.set(net('10.0.0.0/8'), 20, { type: 'unicast', nextHops: [{}] }), TypeError);
    assert.equal(sync.counts().routes, 0);
  });

  it('works in a separate table', async () => {
    const sync = await lab.start({ table: 1179 });
    sync.set(net('0.0.0.0/0'), 20, VIA_2);
    await sync.whenInstalled(net('0.0.0.0/0'), 20);
    await sync.reconcile();
    assert.equal(sync.counts().losses, 0);
    assert.equal(lab.shown('0.0.0.0/0', '1179').length, 1);
    assert.deepEqual(lab.shown('0.0.0.0/0'), []);
    sync.delete(net('0.0.0.0/0'), 20);
    await sync.settled();
    assert.deepEqual(lab.shown('0.0.0.0/0', '1179'), []);
  });

  it('returns what the kernel would do with an address', async () => {
    const sync = await lab.start();
    sync.set(net('10.244.2.0/26'), 20, VIA_2);
    sync.set(net('10.244.1.0/26'), 900, BLACKHOLE);
    await sync.settled();
    const through = sync.get(ip('10.244.2.9'));
    assert.equal(through.route?.prefix.toString(), '10.244.2.0/26');
    assert.equal(through.route?.protocol, 179);
    assert.deepEqual(through.route?.nextHops, [{ gateway: ip('10.0.0.2'), interface: lab.lan }]);
    assert.equal(through.source?.toString(), '10.0.0.1');
    assert.equal(sync.get(ip('10.0.0.1')).route?.type, 'local');
    assert.deepEqual(sync.get(ip('10.244.1.9')).reason, 'a blackhole route drops its packets');
    assert.deepEqual(sync.get(ip('198.51.100.1')).reason, 'no route');
    assert.equal(sync.get(ip('198.51.100.1')).route, null);
  });
});
