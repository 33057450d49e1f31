/** Sessions of each type and family, and which side connects first. */

import assert from 'node:assert/strict';
import { until } from '../../lab/wait.ts';
import type { InteropBench } from '../bench.ts';
import type { FamilyName, LearnedRoute } from '../peers/router.ts';
import { OUR_AS, type SessionPlan, THEIR_AS } from '../session-plan.ts';
import type { OurRoute } from '../speaker/speaker.ts';
import type { MatrixRow } from './row.ts';

export const OUR_PREFIX = '10.1.0.0/24';
export const THEIR_PREFIX = '10.2.0.0/24';
const OUR_PREFIX6 = 'fd01::/48';
const THEIR_PREFIX6 = 'fd02::/48';

/** Waits until the router has our route to a prefix; the route. */
export function theyHave(bench: InteropBench, prefix: string): Promise<LearnedRoute> {
  const family: FamilyName = prefix.includes(':') ? 'ipv6-unicast' : 'ipv4-unicast';
  return until(`${bench.kind} to have ${prefix}`, async () => {
    const routes = await bench.router.routes(family);
    return routes.find((route) => route.prefix === prefix);
  });
}

/** Waits until we have the router's route to a prefix; the route. */
export function weHave(bench: InteropBench, prefix: string): Promise<OurRoute> {
  return until(`us to have ${prefix}`, async () => {
    const routes = await bench.speaker.routes();
    return routes.find((route) => route.prefix === prefix);
  });
}

/** Waits until the router's log or its view of us matches; returns the match. */
export function routerReports(bench: InteropBench, pattern: RegExp): Promise<string> {
  return until(
    `${bench.kind} to report ${pattern}`,
    async () => pattern.exec(await bench.router.report())?.[0],
  );
}

/** Waits until neither side has the prefix that the other withdrew. */
async function bothLose(bench: InteropBench, ours: string, theirs: string): Promise<void> {
  const family: FamilyName = ours.includes(':') ? 'ipv6-unicast' : 'ipv4-unicast';
  await until(`${bench.kind} to lose ${ours}`, async () =>
    (await bench.router.routes(family)).every(({ prefix }) => prefix !== ours),
  );
  await until(`us to lose ${theirs}`, async () =>
    (await bench.speaker.routes()).every(({ prefix }) => prefix !== theirs),
  );
}

/** The AS numbers of the best path, separated by blanks. */
export function asPathOf(route: OurRoute): string {
  return route.paths[0].attributes.asPath.flatMap(({ ases }) => ases).join(' ');
}

/** A session with one route each way, received with the right AS_PATH and next hop. */
async function exchange(bench: InteropBench, plan: SessionPlan): Promise<void> {
  await bench.bring({
    originate: [{ prefix: OUR_PREFIX, options: { med: 17 } }],
    announce: [{ prefix: THEIR_PREFIX }],
    ...plan,
  });
  const theirs = await theyHave(bench, OUR_PREFIX);
  const external = plan.type === 'eBGP';
  assert.equal(theirs.asPath, external ? String(OUR_AS) : '');
  assert.equal(theirs.nextHop, bench.ours.ipv4);
  assert.equal(theirs.med ?? 17, 17);
  const ours = await weHave(bench, THEIR_PREFIX);
  assert.equal(asPathOf(ours), external ? String(THEIR_AS) : '');
  assert.equal(ours.paths[0].attributes.nextHop, bench.theirs.ipv4);
  assert.equal(ours.paths[0].status, 'best');
}

/** Routes of a family are advertised, with a community, and withdrawn while the session stays. */
async function comeAndGo(bench: InteropBench, family: FamilyName): Promise<void> {
  const six = family === 'ipv6-unicast';
  const [ours, theirs] = six ? ['fd11::/48', 'fd12::/48'] : ['10.11.0.0/20', '10.12.0.0/25'];
  await bench.speaker.originate(ours, { communities: [OUR_AS * 65536 + 7] });
  await bench.router.announce({ prefix: theirs });
  const learned = await theyHave(bench, ours);
  assert.deepEqual(learned.communities, [`${OUR_AS}:7`]);
  assert.equal(learned.nextHop, six ? bench.ours.ipv6 : bench.ours.ipv4);
  const mine = await weHave(bench, theirs);
  assert.equal(mine.paths[0].attributes.nextHop, six ? bench.theirs.ipv6 : bench.theirs.ipv4);
  await bench.speaker.withdraw(ours);
  await bench.router.withdraw(theirs);
  await bothLose(bench, ours, theirs);
  assert.equal((await bench.speaker.peer()).counters.established, 1);
}

export const basics: MatrixRow[] = [
  {
    name: 'ibgp',
    title: 'iBGP: a route each way; LOCAL_PREF and an empty AS_PATH',
    run: (bench) => exchange(bench, { type: 'iBGP', connects: 'both' }),
  },
  {
    name: 'ebgp',
    title: 'eBGP: a route each way; AS_PATH and next hop',
    run: (bench) => exchange(bench, { type: 'eBGP' }),
  },
  {
    name: 'ipv4',
    title: 'IPv4 unicast: routes come and go while the session stays',
    run: async (bench) => {
      await bench.bring({ type: 'eBGP' });
      await comeAndGo(bench, 'ipv4-unicast');
    },
  },
  {
    name: 'ipv6',
    title: 'IPv6 unicast over IPv6: routes come and go while the session stays',
    run: async (bench) => {
      await bench.bring({ type: 'eBGP', transport: 'ipv6', families: ['ipv6-unicast'] });
      await comeAndGo(bench, 'ipv6-unicast');
    },
  },
  {
    name: 'both',
    title: 'IPv4 and IPv6 unicast in one session',
    run: async (bench) => {
      // To an eBGP peer over IPv4, OpenBGPD sends the machine's first IPv6 address, ::1; over iBGP the configured one.
      const type = bench.kind === 'openbgpd' ? 'iBGP' : 'eBGP';
      await bench.bring({
        type,
        families: ['ipv4-unicast', 'ipv6-unicast'],
        originate: [{ prefix: OUR_PREFIX }, { prefix: OUR_PREFIX6 }],
        announce: [{ prefix: THEIR_PREFIX }, { prefix: THEIR_PREFIX6 }],
      });
      assert.equal((await theyHave(bench, OUR_PREFIX)).asPath, type === 'eBGP' ? String(OUR_AS) : '');
      assert.equal((await theyHave(bench, OUR_PREFIX6)).nextHop, bench.ours.ipv6);
      await weHave(bench, THEIR_PREFIX);
      const { attributes } = (await weHave(bench, THEIR_PREFIX6)).paths[0];
      assert.equal(attributes.nextHop, bench.theirs.ipv6);
    },
  },
  {
    name: 'we-first',
    title: 'we connect, the peer waits',
    run: (bench) => firstToConnect(bench, 'us'),
  },
  {
    name: 'peer-first',
    title: 'the peer connects, we wait',
    run: (bench) => firstToConnect(bench, 'peer'),
  },
];

async function firstToConnect(bench: InteropBench, connects: 'us' | 'peer'): Promise<void> {
  await bench.bring({ type: 'eBGP', connects, originate: [{ prefix: OUR_PREFIX }] });
  await theyHave(bench, OUR_PREFIX);
  const ends = await bench.runIn('us', ['ss', '-tnH', 'state', 'established', 'sport = :179']);
  assert.equal(ends.trim() !== '', connects === 'peer', `our port is ${ends}`);
}
