import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { TABLE } from '../../kernel/constants.ts';
import { findLink } from '../../kernel/link.ts';
import type { Netlink } from '../../kernel/netlink.ts';
import type { RouteEntry } from '../../kernel/route.ts';
import { addRoute, dumpRoutes, listRoutes, lookupRoute } from '../../kernel/route-request.ts';
import { ip, net } from '../addresses.ts';
import { TestNamespace } from './namespaces.ts';

const OWNER = { table: TABLE.MAIN, protocol: 179 };

describe('requests about routes', () => {
  let namespace: TestNamespace;
  let netlink: Netlink;
  let lan: number;

  beforeEach(() => {
    namespace = new TestNamespace();
    namespace.ip('link add lan type veth peer name lan-peer');
    namespace.ip('link set lan-peer up');
    namespace.ip('link set lan up');
    namespace.ip('addr add 10.0.0.1/24 dev lan');
    namespace.ip('addr add 2001:db8::1/64 dev lan nodad');
    netlink = namespace.open();
    lan = findLink(netlink, 'lan')?.index ?? 0;
  });
  afterEach(() => {
    netlink.close();
    namespace.remove();
  });

  const families = [
    {
      name: 'IPv4',
      prefix: net('10.1.0.0/16'),
      inside: ip('10.1.2.3'),
      gateway: ip('10.0.0.2'),
      own: ip('10.0.0.1'),
    },
    {
      name: 'IPv6',
      prefix: net('2001:db8:1::/48'),
      inside: ip('2001:db8:1::3'),
      gateway: ip('2001:db8::2'),
      own: ip('2001:db8::1'),
    },
  ];
  for (const { name, prefix, inside, gateway, own } of families) {
    const flag = name === 'IPv6' ? '-6 ' : '';

    it(`adds an ${name} route, reads it back and looks up an address in it`, () => {
      addRoute(netlink, OWNER, { prefix, metric: 30, type: 'unicast', nextHops: [{ gateway }] });
      assert.match(
        namespace.ip(`${flag}route show ${prefix}`),
        new RegExp(`^${prefix} via ${gateway} dev lan proto 179 metric 30`),
      );
      const expected: Partial<RouteEntry> = {
        prefix,
        metric: 30,
        table: TABLE.MAIN,
        protocol: 179,
        type: 'unicast',
        nextHops: [{ gateway, interface: lan }],
      };
      const [entry, ...others] = listRoutes(netlink, OWNER, prefix.version);
      assert.deepEqual([{ ...entry, ...expected }, others], [entry, []]);
      const lookup = lookupRoute(netlink, inside);
      assert.deepEqual(lookup.route?.prefix, prefix);
      assert.deepEqual(lookup.source, own);
    });

    it(`adds an ${name} route over two next hops`, () => {
      const nextHops = [
        { gateway, interface: lan },
        { gateway: gateway.plus(1), interface: lan },
      ];
      addRoute(netlink, OWNER, { prefix, metric: 30, type: 'unicast', nextHops });
      assert.deepEqual(listRoutes(netlink, OWNER, prefix.version)[0].nextHops, nextHops);
    });

    it(`explains an ${name} address without a route, and one in a blackhole`, () => {
      assert.equal(lookupRoute(netlink, inside).reason, 'no route');
      addRoute(netlink, OWNER, { prefix, metric: 30, type: 'blackhole', nextHops: [] });
      const { route, reason } = lookupRoute(netlink, inside);
      assert.equal(route, null);
      assert.equal(reason, 'a blackhole route drops its packets');
    });
  }

  it('adds next hops that are on the link by declaration (onlink)', () => {
    const hop = { gateway: ip('192.0.2.1'), interface: lan, onlink: true };
    const other = { gateway: ip('10.0.0.2'), interface: lan };
    const route = { metric: 30, type: 'unicast' } as const;
    addRoute(netlink, OWNER, { ...route, prefix: net('10.1.0.0/16'), nextHops: [hop] });
    addRoute(netlink, OWNER, { ...route, prefix: net('10.2.0.0/16'), nextHops: [hop, other] });
    assert.match(namespace.ip('route show 10.1.0.0/16'), /via 192\.0\.2\.1 dev lan .*onlink/);
    assert.deepEqual(
      listRoutes(netlink, OWNER).map(({ nextHops }) => nextHops),
      [[hop], [hop, other]],
    );
  });

  it('adds an IPv4 route with an IPv6 gateway (RFC 8950)', () => {
    const nextHops = [{ gateway: ip('2001:db8::2'), interface: lan }];
    addRoute(netlink, OWNER, { prefix: net('10.1.0.0/16'), metric: 30, type: 'unicast', nextHops });
    assert.match(namespace.ip('route show 10.1.0.0/16'), /via inet6 2001:db8::2 dev lan/);
    assert.deepEqual(listRoutes(netlink, OWNER)[0].nextHops, nextHops);
  });

  it('dumps no routes of a table that does not exist', async () => {
    let count = 0;
    await dumpRoutes(netlink, { table: 4711, protocol: 179 }, () => count++);
    assert.equal(count, 0);
  });
});
