import assert from 'node:assert/strict';
import { type PeerBrief, peerBriefs } from 'bgp-js';
import { parsePrefix } from 'bgp-js/ip';
import { Simulation } from 'bgp-js-testing';
import { peerCounts, peerViews, policyWarnings, RoutePages } from '../../bgp/views.ts';
import type { RoutesQuery } from '../../http/source.ts';
import { TimeSlicing } from '../../process/time-slicing.ts';

describe('a BGP speaker as documents', () => {
  const sim = new Simulation(3);
  const node = sim.add({ as: 64512 }, '10.0.0.1');
  const mate = sim.add({ as: 64512 }, '10.0.0.2');
  const tor = sim.add({ as: 65001 }, '10.0.0.254');
  sim.peer(node, mate, { holdTime: 9 });
  sim.peer(node, tor);
  node.speaker.originate('10.244.1.0/26');
  mate.speaker.originate('10.244.2.0/26');
  mate.speaker.originate('172.20.0.0/24');
  tor.speaker.originate('172.20.0.0/24');
  tor.speaker.originate('0.0.0.0/0');
  sim.run(5000);
  const query: RoutesQuery = { match: 'exact', limit: 10, offset: 0 };
  const work = new TimeSlicing();
  const pages = new RoutePages(node.speaker, () => 'installed', work);
  const page = (fields: Partial<RoutesQuery>) => pages.page({ ...query, ...fields });
  const prefix = (text: string) => parsePrefix(text)!;

  it('shows peers with their sessions and counts', async () => {
    const [first, second] = await work.run(() => peerViews(node.speaker, () => sim.now));
    assert.equal(first.state, 'Established');
    assert.equal(first.type, 'iBGP');
    assert.equal(first.holdTimeSeconds, 9);
    assert.equal(first.prefixes.received, 2);
    assert.equal(second.type, 'eBGP');
    assert.deepEqual(
      { ...second.prefixes, maximum: 0 },
      { received: 2, accepted: 1, best: 0, sent: second.prefixes.sent, maximum: 0, dropped: 0 },
    );
    assert.ok(Math.abs(Date.parse(first.since) - Date.now()) < 60_000);
  });

  it('counts peers and sessions', () => {
    assert.deepEqual(peerCounts(peerBriefs(node.speaker, sim.now)), { configured: 2, established: 2 });
  });

  it('warns of eBGP peers without policies, and of no others', () => {
    const peer: PeerBrief = {
      name: 'tor',
      state: 'Established',
      since: 0,
      lastError: null,
      policyMissing: [],
    };
    assert.deepEqual(policyWarnings([peer]), []);
    const warning = (policyMissing: PeerBrief['policyMissing']) =>
      policyWarnings([{ ...peer, policyMissing }])[0];
    assert.equal(
      warning(['import', 'export']),
      'eBGP peer tor has no import and no export policy, so no routes are exchanged (RFC 8212). ' +
        'Set "import" and "export", or "bgp.requirePolicy: false".',
    );
    assert.match(
      warning(['import']),
      /has no import policy, so no routes are accepted from it .* Set "import", or/,
    );
    assert.match(warning(['export']), /has no export policy, so no routes are advertised to it/);
  });

  it('lists routes in order, with every path and why it won or lost', async () => {
    const { routes, total } = await page({});
    assert.equal(total, 4);
    assert.deepEqual(
      routes.map(({ prefix, source }) => `${prefix} ${source}`),
      ['0.0.0.0/0 bgp', '10.244.1.0/26 local', '10.244.2.0/26 bgp', '172.20.0.0/24 bgp'],
    );
    const [refused] = routes[0].paths;
    assert.equal(refused.status, 'unusable');
    assert.match(refused.reason, /default route/);
    const [best, lost] = routes[3].paths;
    assert.deepEqual([best.status, best.peer, best.reason], ['best', '10.0.0.2', 'won by shorter AS_PATH']);
    assert.deepEqual(
      [lost.status, lost.asPath, lost.reason],
      ['candidate', '65001', 'lost by shorter AS_PATH'],
    );
  });

  it('finds a prefix, a longest match, and routes by text', async () => {
    assert.equal((await page({ prefix: prefix('10.244.2.0/26') })).routes[0].paths[0].nextHop, '10.0.0.2');
    assert.equal(
      (await page({ prefix: prefix('10.244.2.7/32'), match: 'longest' })).routes[0].prefix,
      '10.244.2.0/26',
    );
    const none = await page({ prefix: prefix('8.8.8.8/32'), match: 'longest' });
    assert.equal(none.total, 0, 'an unusable default is no match');
    assert.equal((await page({ q: '65001' })).total, 2);
    const { routes } = await page({ limit: 1, offset: 1 });
    assert.deepEqual(
      routes.map(({ prefix }) => prefix),
      ['10.244.1.0/26'],
    );
  });

  it('finds IPv6 routes', async () => {
    const six = new Simulation(4);
    const lone = six.add({ as: 64512, address6: '2001:db8::1' }, '10.0.0.1');
    for (const text of ['2001:db8:1::/48', '2001:db8:1:2::/64', '10.244.1.0/26'])
      lone.speaker.originate(text);
    six.run(1000);
    const pagesOfSix = new RoutePages(lone.speaker, () => 'local', work);
    const page = (fields: Partial<RoutesQuery>) => pagesOfSix.page({ ...query, ...fields });
    const exact = await page({ prefix: prefix('2001:db8:1::/48') });
    assert.equal(exact.routes[0].source, 'local');
    const longest = await page({ prefix: prefix('2001:db8:1:2::7/128'), match: 'longest' });
    assert.equal(longest.routes[0].prefix, '2001:db8:1:2::/64');
    assert.equal((await page({ prefix: prefix('2001:db8:3::/128'), match: 'longest' })).total, 0);
    const { routes } = await page({ prefix: prefix('2001:db8::/32'), match: 'moreSpecifics' });
    assert.deepEqual(
      routes.map((route) => route.prefix),
      ['2001:db8:1::/48', '2001:db8:1:2::/64'],
    );
  });

  it('finds a prefix and its more specific ones, page by page', async () => {
    const within = async (text: string, fields: Partial<RoutesQuery> = {}) => {
      const { routes, total } = await page({ prefix: prefix(text), match: 'moreSpecifics', ...fields });
      return { total, prefixes: routes.map((route) => route.prefix) };
    };
    const own = ['10.244.1.0/26', '10.244.2.0/26'];
    assert.deepEqual(await within('10.244.0.0/16'), { total: 2, prefixes: own });
    assert.deepEqual(await within('10.244.0.0/16', { limit: 1, offset: 1 }), {
      total: 2,
      prefixes: [own[1]],
    });
    assert.deepEqual(await within('10.244.1.0/26'), { total: 1, prefixes: [own[0]] });
    assert.deepEqual(await within('10.244.1.0/27'), { total: 0, prefixes: [] });
    assert.deepEqual(await within('10.244.0.0/16', { q: '10.0.0.2' }), { total: 1, prefixes: [own[1]] });
  });
});
