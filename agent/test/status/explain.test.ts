import assert from 'node:assert/strict';
import { Simulation } from 'bgp-js-testing';
import { beforeEach, describe, it } from 'mocha';
import type { AgentSettings } from '../../config/settings.ts';
import type { RouteEntry } from '../../kernel/route.ts';
import type { RouteLookup } from '../../kernel/route-request.ts';
import type { AgentParts } from '../../parts.ts';
import { explain } from '../../status/explain.ts';
import { ip, net } from '../addresses.ts';

const SETTINGS = { address: ip('10.0.0.1'), podCIDRs: [net('10.244.1.0/26')] } as AgentSettings;
const POD = {
  name: 'shop/cart-0',
  hostInterface: 'fr0',
  ifname: 'eth0',
  netns: '/run/netns/cart',
  state: 'up',
  since: '2026-01-01T00:00:00Z',
  containerId: 'abc',
};

describe('explain', () => {
  let sim: Simulation;
  /** The answer of the kernel. */
  let lookup: Omit<RouteLookup, 'address'>;
  /** The state of a learned route in the dataplane. */
  let state: string | null;
  let pod: typeof POD | undefined;

  beforeEach(() => {
    sim = new Simulation(1);
    const node = sim.add({ as: 64512 }, '10.0.0.1');
    const other = sim.add({ as: 64512 }, '10.0.0.2');
    sim.peer(node, other);
    node.speaker.originate('10.244.1.0/26');
    other.speaker.originate('10.244.2.0/26');
    sim.run(2000);
    lookup = { route: null, reason: 'no route', source: null };
    state = 'installed';
    pod = undefined;
  });

  /** The explanation of an address: its summary, and the lines and verdict of each layer. */
  function explained(address: string) {
    const parts = {
      host: { speaker: sim.nodes.get('10.0.0.1')?.speaker },
      routes: { get: () => ({ address: ip(address), ...lookup }), findLink: () => ({ name: 'eth9' }) },
      dataplane: { state: () => state },
      pods: { find: () => pod },
      announcements: { state: () => 'announced' },
    } as unknown as AgentParts;
    const { summary, steps } = explain(ip(address), SETTINGS, parts);
    const layer = (name: string) => {
      const step = steps.find((candidate) => candidate.layer === name);
      return `${step?.verdict}: ${step?.lines.join(' | ')}`;
    };
    return { summary, layer };
  }

  function route(fields: Partial<RouteEntry>): RouteEntry {
    const defaults = { metric: 20, table: 254, protocol: 179, source: null, flags: 0 };
    return { prefix: net('10.244.2.0/26'), type: 'unicast', nextHops: [], ...defaults, ...fields };
  }

  it('follows the address of another node’s pod', () => {
    const nextHops = [{ gateway: ip('10.0.0.2'), interface: 9 }];
    lookup = { route: route({ nextHops }), reason: '', source: ip('10.0.0.1') };
    const { summary, layer } = explained('10.244.2.1');
    assert.match(
      summary,
      /^10\.244\.2\.1 is reached by 10\.244\.2\.0\/26, learned from .+, via 10\.0\.0\.2\.$/,
    );
    assert.equal(layer('pod'), 'none: no pod of this node has the address');
    assert.equal(layer('allocation'), 'none: in none of the pod ranges of this node');
    assert.equal(layer('announcement'), 'none: this node does not announce it');
    assert.match(
      layer('rib'),
      /^ok: longest match 10\.244\.2\.0\/26 \| best: via 10\.0\.0\.2 from \S+: the only usable path$/,
    );
    assert.equal(
      layer('kernel'),
      'ok: unicast 10.244.2.0/26 via 10.0.0.2 on eth9, protocol 179, ours, metric 20' +
        ' | packets of this node have the source address 10.0.0.1',
    );
  });

  it('warns when a learned route is not in the kernel', () => {
    state = 'not installed: next hop 10.0.0.2 is unreachable: no route';
    assert.equal(explained('10.244.2.1').layer('kernel'), 'warning: no route');
    assert.match(explained('10.244.2.1').summary, /; see kernel below\.$/);
    lookup = { route: route({ prefix: net('0.0.0.0/0'), protocol: 4 }), reason: '', source: null };
    assert.match(
      explained('10.244.2.1').layer('kernel'),
      /^warning: .*10\.244\.2\.0\/26 is not installed: next hop/,
    );
  });

  it('finds a pod of this node, its range and the peers it is advertised to', () => {
    pod = POD;
    lookup = {
      route: route({ prefix: net('10.244.1.5/32'), nextHops: [{ interface: 9 }] }),
      reason: '',
      source: null,
    };
    const { summary, layer } = explained('10.244.1.5');
    assert.equal(summary, '10.244.1.5 is pod shop/cart-0 of this node.');
    assert.match(
      layer('pod'),
      /^ok: shop\/cart-0, on this node since .* \| eth0 in \/run\/netns\/cart, fr0 on the host: up$/,
    );
    assert.equal(layer('allocation'), 'ok: from 10.244.1.0/26, allocated to container abc');
    assert.equal(layer('announcement'), 'ok: 10.244.1.0/26: announced');
    assert.match(
      layer('rib'),
      /^ok: longest match 10\.244\.1\.0\/26, originated here \| best: this node: [^;]+$/,
    );
    assert.match(layer('advertised'), /^ok: 10\.244\.1\.0\/26 is sent to 10\.0\.0\.2: /);
    assert.match(layer('kernel'), /^ok: unicast 10\.244\.1\.5\/32 directly connected on eth9/);
    pod = { ...POD, state: 'eth0 is down', netns: '' };
    assert.match(
      explained('10.244.1.5').layer('pod'),
      /^warning: .*eth0 in a deleted namespace.*eth0 is down$/,
    );
    assert.match(explained('10.244.1.5').summary, /; see pod below\.$/);
  });

  it('distinguishes a free address from an unreachable one', () => {
    lookup = { route: null, reason: 'a blackhole route drops its packets', source: null };
    const free = explained('10.244.1.9');
    assert.match(
      free.summary,
      /^10\.244\.1\.9 is free: no pod has it, and it is in the pod range 10\.244\.1\.0\/26/,
    );
    assert.equal(free.layer('allocation'), 'none: free, in the pod range 10.244.1.0/26 of this node');
    assert.equal(free.layer('kernel'), 'none: a blackhole route drops its packets');
    assert.equal(
      explained('198.51.100.1').summary,
      '198.51.100.1 is unreachable from this node: no BGP route covers it and in the kernel a blackhole route drops its packets.',
    );
    lookup = { route: null, reason: 'no route', source: null };
    assert.equal(
      explained('198.51.100.1').summary,
      '198.51.100.1 is unreachable from this node: no BGP route covers it and the kernel has none either.',
    );
    assert.equal(explained('198.51.100.1').layer('rib'), 'none: no BGP route covers 198.51.100.1');
  });

  it('names the kernel’s route where BGP has none, and the node’s own address', () => {
    lookup = { route: route({ prefix: net('198.51.100.0/24'), protocol: 4 }), reason: '', source: null };
    assert.equal(
      explained('198.51.100.1').summary,
      '198.51.100.1 is reached by 198.51.100.0/24 of the kernel (protocol static); no BGP route covers it.',
    );
    assert.equal(explained('10.0.0.1').summary, "10.0.0.1 is this node's own address.");
  });

  it('ends in the RIB for IPv6', () => {
    const { summary, layer } = explained('2001:db8::1');
    assert.equal(summary, '2001:db8::1: no BGP route covers it.');
    assert.match(layer('kernel'), /^none: this version installs no IPv6 routes/);
  });
});
