/** Negotiated extensions: ADD-PATH, IPv6 next hops, long messages; and large communities. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { until } from '../../lab/wait.ts';
import type { InteropBench } from '../bench.ts';
import { readByScapy } from '../capture.ts';
import { type Feeder, OUR_AS, type SessionPlan, THEIR_AS } from '../session-plan.ts';
import { asPathOf, OUR_PREFIX, THEIR_PREFIX, theyHave, weHave } from './basics.ts';
import { notInOpen } from './lacks.ts';
import type { MatrixRow } from './row.ts';

const [A, B, C, D] = [65011, 65012, 65013, 65014];
const feeder = (as: number, to: Feeder['to'], prefix: string): Feeder => ({
  as,
  to,
  originate: [{ prefix }],
});

/** Two feeders advertise paths to one prefix to us, two others to the router; each side passes both paths on. */
const PATHS: SessionPlan = {
  type: 'eBGP',
  ours: { addPath: { receive: true, send: 8 } },
  theirs: { addPath: true },
  feeders: [
    feeder(A, 'us', OUR_PREFIX),
    feeder(B, 'us', OUR_PREFIX),
    feeder(C, 'peer', THEIR_PREFIX),
    feeder(D, 'peer', THEIR_PREFIX),
  ],
};

/** Waits until the router has exactly these AS_PATHs from us. */
function theirPaths(bench: InteropBench, prefix: string, wanted: string[]): Promise<boolean> {
  return until(`${bench.kind} to have the paths ${wanted} to ${prefix}`, async () => {
    const routes = await bench.router.routes('ipv4-unicast');
    const paths = routes.filter((route) => route.prefix === prefix).map(({ asPath }) => asPath);
    if (paths.sort().join() === wanted.join()) return true;
    throw new Error(`the router has ${paths}`);
  });
}

function ourPaths(bench: InteropBench, prefix: string, wanted: string[]): Promise<boolean> {
  return until(`us to have the paths ${wanted} to ${prefix}`, async () => {
    const route = (await bench.speaker.routes()).find((candidate) => candidate.prefix === prefix);
    const fromPeer = route?.paths.filter(({ peer }) => peer === bench.kind) ?? [];
    const paths = fromPeer.map((path) => asPathOf({ prefix, paths: [path] }));
    if (paths.sort().join() === wanted.join()) return true;
    throw new Error(`we have ${paths}`);
  });
}

/** Both paths arrive in both directions; when one is withdrawn, the other stays. */
async function addPath(bench: InteropBench): Promise<void> {
  await bench.bring(PATHS);
  const [a, b] = [A, B].map((as) => `${OUR_AS} ${as}`);
  const [c, d] = [C, D].map((as) => `${THEIR_AS} ${as}`);
  await theirPaths(bench, OUR_PREFIX, [a, b]);
  await ourPaths(bench, THEIR_PREFIX, [c, d]);
  await bench.speaker.feederWithdraw(0, OUR_PREFIX);
  await bench.speaker.feederWithdraw(2, THEIR_PREFIX);
  await theirPaths(bench, OUR_PREFIX, [b]);
  await ourPaths(bench, THEIR_PREFIX, [d]);
}

/** ExaBGP has no table: it announces both paths by command. */
async function addPathScripted(bench: InteropBench): Promise<void> {
  const paths = [C, D].map((as, index) => ({
    prefix: THEIR_PREFIX,
    path: { id: index + 1, asPath: String(as) },
  }));
  await bench.bring({ ...PATHS, feeders: PATHS.feeders?.filter(({ to }) => to === 'us'), announce: paths });
  const [a, b] = [A, B].map((as) => `${OUR_AS} ${as}`);
  await theirPaths(bench, OUR_PREFIX, [a, b]);
  await ourPaths(bench, THEIR_PREFIX, [`${THEIR_AS} ${C}`, `${THEIR_AS} ${D}`]);
  await bench.speaker.feederWithdraw(0, OUR_PREFIX);
  await theirPaths(bench, OUR_PREFIX, [b]);
}

const SIX: SessionPlan = {
  type: 'eBGP',
  transport: 'ipv6',
  ours: { extendedNextHop: true },
  theirs: { extendedNextHop: true },
  originate: [{ prefix: OUR_PREFIX }],
};

async function sixNextHops(bench: InteropBench): Promise<void> {
  await bench.bring({ ...SIX, announce: [{ prefix: THEIR_PREFIX }] });
  assert.equal((await theyHave(bench, OUR_PREFIX)).nextHop, bench.ours.ipv6);
  const { paths } = await weHave(bench, THEIR_PREFIX);
  assert.equal(paths[0].attributes.nextHop, bench.theirs.ipv6);
  assert.equal(paths[0].status, 'best');
}

/** More communities than fit into 4,096 octets, and more prefixes than fit. */
const COMMUNITIES = Array.from({ length: 1100 }, (_, index) => OUR_AS * 65536 + index);
const MANY = Array.from({ length: 1500 }, (_, index) => ({
  prefix: `10.${128 + (index >> 8)}.${index & 255}.0/24`,
}));
const COMMUNITY_TEXTS = COMMUNITIES.map((_, index) => `${OUR_AS}:${index}`);
/** FRR's configuration accepts no line with so many communities; BIRD and ExaBGP send many prefixes in small UPDATEs. */
const LONG_ROUTE = { prefix: THEIR_PREFIX, communities: COMMUNITY_TEXTS };
const LONG: SessionPlan = { type: 'eBGP', ours: { maximumPrefixes: 5000 } };

async function longMessages(bench: InteropBench): Promise<void> {
  await bench.bring({
    ...LONG,
    announce: bench.kind === 'frr' ? MANY : [LONG_ROUTE],
    originate: [{ prefix: OUR_PREFIX, options: { communities: COMMUNITIES } }],
  });
  // BIRD prints only the first of so many, FRR more.
  const shown = (await theyHave(bench, OUR_PREFIX)).communities.slice(0, 40);
  assert.deepEqual(shown, COMMUNITY_TEXTS.slice(0, shown.length));
  assert.equal(shown.length, 40);
  if (bench.kind === 'frr')
    await until('us to have all routes', async () => (await bench.speaker.routes()).length > MANY.length);
  else
    assert.equal(
      (await weHave(bench, THEIR_PREFIX)).paths[0].attributes.communities?.length,
      COMMUNITIES.length,
    );
  const read = await readByScapy(join(bench.folder, 'bgp.pcap'), [bench.ours.ipv4, bench.theirs.ipv4]);
  for (const { longest } of Object.values(read)) assert.ok(longest > 4096, `${longest} octets`);
  assert.equal((await bench.speaker.peer()).counters.established, 1);
}

const LARGE = ['4200000001:7:4294967295', '65002:0:1'];

async function largeCommunities(bench: InteropBench): Promise<void> {
  await bench.bring({
    type: 'eBGP',
    originate: [
      {
        prefix: OUR_PREFIX,
        options: {
          largeCommunities: [
            [4_200_000_001, 7, 0xffff_ffff],
            [65_002, 0, 1],
          ],
        },
      },
    ],
    announce: [{ prefix: THEIR_PREFIX, largeCommunities: LARGE }],
  });
  assert.deepEqual([...(await theyHave(bench, OUR_PREFIX)).largeCommunities].sort(), LARGE);
  const { attributes } = (await weHave(bench, THEIR_PREFIX)).paths[0];
  assert.deepEqual(attributes.largeCommunities?.map((value) => value.join(':')).sort(), LARGE);
}

export const extensions: MatrixRow[] = [
  {
    name: 'add-path',
    title: 'ADD-PATH (RFC 7911): two paths to a prefix each way, and one of them goes',
    run: (bench) => (bench.kind === 'exabgp' ? addPathScripted(bench) : addPath(bench)),
    unreadable: 'scapy',
  },
  {
    name: 'next-hop-6',
    title: 'IPv4 routes with IPv6 next hops (RFC 8950), both ways',
    run: sixNextHops,
    unreadable: 'scapy',
    lacks: { openbgpd: notInOpen('extended next hop', { ...SIX, theirs: {} }) },
  },
  {
    name: 'long-messages',
    title: 'extended messages (RFC 8654): UPDATEs of more than 4,096 octets, both ways',
    run: longMessages,
    unreadable: 'tshark',
    lacks: {
      gobgp: notInOpen('extended message', LONG),
      openbgpd: notInOpen('extended message', LONG),
    },
  },
  {
    name: 'large',
    title: 'large communities (RFC 8092), both ways',
    run: largeCommunities,
  },
];
