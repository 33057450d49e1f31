/** A fake daemon with every kind of state, for tests of the server, the command line and the page. */

import { formatIPv4, type IPAddress, parsePrefix } from 'bgp-js/ip';
import type {
  EventView,
  ExplainView,
  PathView,
  PeerState,
  PeerView,
  PodView,
  PolicyView,
  RouteView,
  StatusView,
} from '../../http/api-documents.ts';
import type { RoutesPage, RoutesQuery, StatusSource } from '../../http/source.ts';

/** The number of peers, routes and pods. */
export interface FakeSize {
  peers: number;
  routes: number;
  pods: number;
}

/** When the daemon started; the other times follow from it. */
const STARTED = Date.now() - 3 * 3600_000 - 754_000;

function at(secondsAfterStart: number): string {
  return new Date(STARTED + secondsAfterStart * 1000).toISOString();
}

const TROUBLE: Partial<Record<number, [PeerState, string]>> = {
  2: ['Active', 'connection refused by 10.0.0.4:179'],
  3: ['Idle', 'maximum prefixes exceeded: 300001 received, 300000 allowed (we sent NOTIFICATION 6/1)'],
  4: ['OpenConfirm', 'hold timer expired (received NOTIFICATION 4/0)'],
};

function fakePeer(index: number): PeerView {
  const isTor = index === 0;
  // 10.0.0.254 is the ToR's.
  const address = isTor ? '10.0.0.254' : formatIPv4(0x0a000001 + index + (index >= 253 ? 1 : 0));
  const [state, error] =
    TROUBLE[index] ??
    (index > 10 && index % 97 === 0 ? ['Connect', 'no route to host'] : ['Established', '']);
  const up = state === 'Established';
  const flapped = isTor
    ? 'administrative shutdown: "maintenance of rack 7, back at 14:00" (received NOTIFICATION 6/2)'
    : '';
  const lastError = error || flapped;
  return {
    name: isTor ? 'tor' : `n${index + 1}`,
    address,
    ...(index % 5 === 4 ? { range: '10.0.0.0/16' } : {}),
    as: isTor ? 65001 : 64512,
    type: isTor ? 'eBGP' : 'iBGP',
    state: state as PeerState,
    since: at(isTor ? 9000 : 12 + index),
    ...(up ? { routerId: address, holdTimeSeconds: 90, keepaliveSeconds: 30 } : {}),
    ...(lastError === '' ? {} : { lastError: { time: at(8990), text: lastError } }),
    prefixes: {
      received: up ? 40 + index * 3 : 0,
      accepted: up ? 40 + index : 0,
      best: up ? 12 : 0,
      sent: up ? 1 : 0,
      dropped: 0,
      maximum: 300_000,
    },
    attributeOctets: up ? 2048 : 0,
    messages: { received: 812 + index, sent: 801, updatesReceived: 44, updatesSent: 3 },
    capabilities: up ? ['multiprotocol IPv4 unicast', 'four-octet AS', 'route refresh'] : [],
    policies: isTor ? { import: 'tor-in' } : {},
    policyMissing: [],
    malformed: [],
    establishedCount: isTor ? 2 : up ? 1 : 0,
  };
}

function fakePath(
  peer: string,
  nextHop: string,
  asPath: string,
  fate: [PathView['status'], string],
): PathView {
  const eBGP = asPath !== '';
  return {
    peer,
    peerAddress: nextHop,
    nextHop,
    asPath,
    origin: 'IGP',
    ...(eBGP ? { med: 0 } : { localPref: 100 }),
    ...(eBGP ? { communities: ['65001:100'] } : {}),
    status: fate[0],
    reason: fate[1],
    since: at(40),
  };
}

function fakeRoute(index: number): RouteView {
  if (index === 0) {
    const path = fakePath('local', '0.0.0.0', '', ['best', 'the only path']);
    return { prefix: '10.244.1.0/26', source: 'local', paths: [path], kernel: 'local' };
  }
  if (index === 1) {
    return {
      prefix: '10.244.2.0/26',
      source: 'bgp',
      paths: [
        fakePath('n2', '10.0.0.2', '', ['best', 'shortest AS path (step 2): 0 against 2']),
        fakePath('tor', '10.0.0.254', '65001 64512', ['unusable', 'own AS 64512 in AS path (loop)']),
      ],
      kernel: 'installed',
    };
  }
  const prefix = `${formatIPv4(0x64400000 + index * 256)}/24`;
  const asPath = `65001 65${100 + (index % 90)} ${4200000000 + index}`;
  const paths = [
    fakePath('tor', '10.0.0.254', asPath, [
      'best',
      'lowest router id (step 7): 10.0.0.253 against 10.0.0.254',
    ]),
  ];
  if (index % 3 === 0)
    paths.push(
      fakePath('tor2', '10.0.0.253', asPath, [
        'multipath',
        'equal up to the router id: used beside the best',
      ]),
    );
  if (index % 7 === 0)
    paths.push(fakePath('n6', '10.0.0.6', '', ['candidate', 'interior cost (step 6): 20 against 10']));
  const kernel = index % 41 === 5 ? 'not installed: next hop has invalid gateway' : 'installed';
  return { prefix, source: 'bgp', paths, kernel };
}

function fakePod(index: number): PodView {
  const id = (0xa11ce0000 + index * 7919).toString(16).padEnd(64, 'f');
  return {
    name: `${index % 2 === 0 ? 'shop' : 'kube-system'}/${index % 2 === 0 ? 'cart' : 'coredns'}-${(index * 7919).toString(36)}-x${index}`,
    containerId: id,
    ifname: 'eth0',
    address: formatIPv4(0x0af40102 + index),
    addresses: [formatIPv4(0x0af40102 + index)],
    hostInterface: `fr${id.slice(0, 9)}`,
    netns: `/run/netns/cni-${id.slice(0, 8)}`,
    since: at(60 + index),
    state: index === 3 ? 'host route missing' : 'up',
  };
}

const EVENTS: [number, EventView['level'], string, string][] = [
  [0, 'info', 'config', 'read /etc/flatroute/agent.yaml: 6 peers, 1 pod range'],
  [1, 'info', 'kernel', 'reconciled: 0 routes added, 0 removed, 14 kept'],
  [12, 'info', 'tor', 'established: hold time 90 s, four-octet AS, route refresh'],
  [13, 'info', 'n2', 'established: hold time 90 s, four-octet AS, route refresh'],
  [40, 'warn', 'n3', 'connection refused by 10.0.0.4:179, trying again in 5 s'],
  [61, 'info', 'shop/cart-0-x0', 'added with 10.244.1.2 on fra11ce0000'],
  [
    8990,
    'warn',
    'tor',
    'closed: administrative shutdown: "maintenance of rack 7, back at 14:00" (received NOTIFICATION 6/2)',
  ],
  [8991, 'info', 'kernel', '1024 routes removed with tor'],
  [9000, 'info', 'tor', 'established: hold time 90 s, four-octet AS, route refresh'],
  [
    9700,
    'error',
    'n4',
    'closed: maximum prefixes exceeded: 300001 received, 300000 allowed (we sent NOTIFICATION 6/1)',
  ],
];

function fakeExplain(address: string): ExplainView {
  return {
    address,
    summary: `${address} is the pod shop/cart-0-x0 on this node; it is announced as part of 10.244.1.0/26 to 3 of 5 peers.`,
    steps: [
      { layer: 'pod', verdict: 'ok', lines: ['shop/cart-0-x0, eth0, link fra11ce0000, up'] },
      {
        layer: 'allocation',
        verdict: 'ok',
        lines: ['allocated from 10.244.1.0/26 to container a11ce0000fff, in the journal'],
      },
      {
        layer: 'announcement',
        verdict: 'ok',
        lines: ['10.244.1.0/26 is announced; its blackhole is in place'],
      },
      {
        layer: 'advertised',
        verdict: 'warning',
        lines: [
          'sent to tor, n2, n6',
          'not sent to n3: the session is Active',
          'not sent to n4: the session is Idle',
        ],
      },
      { layer: 'rib', verdict: 'ok', lines: ['10.244.1.0/26 local, best: the only path'] },
      { layer: 'kernel', verdict: 'ok', lines: [`${address} dev fra11ce0000 scope link proto 179`] },
    ],
  };
}

/** A source with a ToR, nodes in every state, many routes, pods, a warning and events. */
export class FakeSource implements StatusSource {
  readonly #size: FakeSize;
  readonly #routes: RouteView[];
  isReady = true;

  constructor(size: Partial<FakeSize> = {}) {
    this.#size = { peers: 6, routes: 1026, pods: 9, ...size };
    this.#routes = Array.from({ length: this.#size.routes }, (_, index) => fakeRoute(index));
  }

  status(): StatusView {
    const peers = this.peers();
    return {
      role: 'agent',
      version: '0.1.0',
      node: 'n1',
      pid: 4711,
      started: at(0),
      uptimeSeconds: (Date.now() - STARTED) / 1000,
      as: 64512,
      routerId: '10.0.0.1',
      listen: ['10.0.0.1:179'],
      ...this.ready(),
      warnings: [
        '25 routes are not in the kernel: next hop has invalid gateway',
        'n4 is held down until it is cleared by hand',
      ],
      peers: {
        configured: peers.length,
        established: peers.filter((peer) => peer.state === 'Established').length,
      },
      routes: {
        prefixes: this.#routes.length,
        paths: this.#routes.length + 500,
        installed: this.#routes.length - 26,
      },
      pods: { count: this.#size.pods, ranges: [{ cidr: '10.244.1.0/26', size: 62, used: this.#size.pods }] },
      eventLoop: {
        load: 'normal',
        delay: { p50Ms: 0.1, p99Ms: 1.2, p999Ms: 3.4, maxMs: 12.5 },
        slice: { p50Ms: 0.2, p99Ms: 2.1, p999Ms: 4.3, maxMs: 7.9 },
        sliceCpu: { p50Ms: 0.2, p99Ms: 2, p999Ms: 4.1, maxMs: 7.1 },
      },
      events: EVENTS.map(([seconds, level, subject, text]) => ({ time: at(seconds), level, subject, text })),
    };
  }

  policies(): PolicyView[] {
    const rules: PolicyView['rules'] = [
      { name: 'no-lab', action: 'reject', hits: 12 },
      { name: 'prefer', action: 'next', hits: 1_204_411 },
    ];
    const peers: PolicyView['peers'] = [{ peer: 'tor', direction: 'import' }];
    return [{ name: 'tor-in', rules, otherwise: { action: 'accept', hits: 40 }, peers }];
  }

  peers(): PeerView[] {
    return Array.from({ length: this.#size.peers }, (_, index) => fakePeer(index));
  }

  routes(query: RoutesQuery): RoutesPage {
    const found = this.#routes.filter((route) => matches(route, query));
    if (query.match === 'longest')
      found.sort((a, b) => Number(b.prefix.split('/')[1]) - Number(a.prefix.split('/')[1])).splice(1);
    return { routes: found.slice(query.offset, query.offset + query.limit), total: found.length };
  }

  pods(): PodView[] {
    return Array.from({ length: this.#size.pods }, (_, index) => fakePod(index));
  }

  explain(address: IPAddress): ExplainView {
    return fakeExplain(address.toString());
  }

  metrics(): Promise<string> {
    return Promise.resolve('# TYPE flatroute_peers gauge\nflatroute_peers 6\n');
  }

  ready(): { ready: boolean; reasons: string[] } {
    return this.isReady
      ? { ready: true, reasons: [] }
      : { ready: false, reasons: ['the kernel is not reconciled yet'] };
  }
}

function matches(route: RouteView, query: RoutesQuery): boolean {
  if (query.q !== undefined && !JSON.stringify(route).includes(query.q)) return false;
  if (query.prefix === undefined) return true;
  const prefix = parsePrefix(route.prefix)!;
  if (query.match === 'longest') return prefix.contains(query.prefix.address);
  return query.match === 'exact' ? prefix.equals(query.prefix) : query.prefix.covers(prefix);
}
