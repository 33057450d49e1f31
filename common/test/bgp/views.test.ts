import assert from 'node:assert/strict';
import { type PeerBrief, peerBriefs } from 'bgp-js';
import { Simulation } from 'bgp-js-testing';
import { peerCounts, peerViews, policyWarnings, RoutePages } from '../../bgp/views.ts';
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
  const query = { longest: false, limit: 10, offset: 0 };
  const work = new TimeSlicing();
  const pages = new RoutePages(node.speaker, () => 'installed', work);
  const page = (fields: object) => pages.page({ ...query, ...fields });

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

  it('warns of eBGP peers without policies, and of nobody else', () => {
    const peer: PeerBrief = {
      name: 'tor',
      state: 'Established',
      since: 0,
      lastError: null,
      policyMissing: [],
    };
    assert.deepEqual(policyWarnings([peer]), []);
    const [both] = policyWarnings([{ ...peer, policyMissing: ['import', 'export'] }]);
    assert.match(both, /^eBGP peer tor: nothing is taken from it: .*; nothing is told to it: .*RFC 8212/);
  });

  it('shows routes in order with every path and why it won or lost', async () => {
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

  it('finds a prefix, a longest match and a text', async () => {
    assert.equal((await page({ prefix: '10.244.2.0/26' })).routes[0].paths[0].nextHop, '10.0.0.2');
    assert.equal((await page({ prefix: '10.244.2.7/32', longest: true })).routes[0].prefix, '10.244.2.0/26');
    const none = await page({ prefix: '8.8.8.8/32', longest: true });
    assert.equal(none.total, 0, 'an unusable default is no match');
    assert.equal((await page({ q: '65001' })).total, 2);
    const { routes } = await page({ limit: 1, offset: 1 });
    assert.deepEqual(
      routes.map(({ prefix }) => prefix),
      ['10.244.1.0/26'],
    );
  });
});
