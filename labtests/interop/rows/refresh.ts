/** Route refresh (RFC 2918) and its markers (RFC 7313), requested by either side. */

import assert from 'node:assert/strict';
import { until } from '../../lab/wait.ts';
import type { InteropBench } from '../bench.ts';
import type { SessionPlan } from '../session-plan.ts';
import { OUR_PREFIX, routerReports, THEIR_PREFIX, theyHave, weHave } from './basics.ts';
import { notInOpen } from './lacks.ts';
import type { MatrixRow } from './row.ts';

const PLAN: SessionPlan = {
  type: 'eBGP',
  originate: [{ prefix: OUR_PREFIX }],
  announce: [{ prefix: THEIR_PREFIX }],
};

/** A later route: when it has arrived, everything sent before it has too. */
const LATER_PREFIX = '10.2.1.0/24';

/** Subtypes of the ROUTE-REFRESH messages that one side has sent: 0 request, 1 begin, 2 end. */
async function refreshes(bench: InteropBench, from: string): Promise<string[]> {
  const packets = await bench.decoded(`bgp.type == 5 and ip.src == ${from}`, ['bgp.route_refresh.subtype']);
  return packets.flatMap(([subtypes]) => subtypes.split(',')).map((text) => String(Number(text)));
}

/**
 * Waits until both have the other's route. Returns the number of sessions that took: FRR listens before it has read its
 * whole configuration, and then resets a session that is already up.
 */
async function both(bench: InteropBench): Promise<number> {
  await bench.bring(PLAN);
  await theyHave(bench, OUR_PREFIX);
  await weHave(bench, THEIR_PREFIX);
  return (await bench.speaker.peer()).counters.established;
}

/** Both still have the routes, in the same session. */
async function stillThere(bench: InteropBench, sessions: number): Promise<void> {
  await theyHave(bench, OUR_PREFIX);
  await until(
    'us to have the routes that were sent again',
    async () => !(await weHave(bench, THEIR_PREFIX)).paths[0].stale,
  );
  assert.equal((await bench.speaker.peer()).counters.established, sessions);
}

/** How often a side has sent its route. */
async function timesTold(bench: InteropBench, from: string, prefix: string): Promise<number> {
  const updates = await bench.decoded(`bgp.type == 2 and ip.src == ${from}`, ['bgp.nlri_prefix']);
  const addresses = updates.flatMap(([list]) => list.split(','));
  return addresses.filter((address) => address === prefix.split('/')[0]).length;
}

async function weAsk(bench: InteropBench): Promise<void> {
  const sessions = await both(bench);
  assert.equal(await bench.speaker.refresh(bench.kind), true);
  await until('the peer to send its route twice', async () => {
    return (await timesTold(bench, bench.theirs.ipv4, THEIR_PREFIX)) >= 2;
  });
  await stillThere(bench, sessions);
}

async function theyAsk(bench: InteropBench): Promise<void> {
  const sessions = await both(bench);
  await bench.router.requestRefresh();
  await until('us to send our route twice', async () => {
    return (await timesTold(bench, bench.ours.ipv4, OUR_PREFIX)) >= 2;
  });
  await stillThere(bench, sessions);
}

/** Both request a refresh, and both mark begin and end of their answer. Routes that are not sent between them are removed. */
async function marked(bench: InteropBench): Promise<void> {
  const sessions = await both(bench);
  assert.equal(await bench.speaker.refresh(bench.kind), true);
  await until('the peer to mark the begin and the end', async () => {
    return (await refreshes(bench, bench.theirs.ipv4)).join('').includes('12');
  });
  await bench.router.requestRefresh();
  await until('us to mark the begin and the end', async () => {
    return (await refreshes(bench, bench.ours.ipv4)).join('').endsWith('12');
  });
  await stillThere(bench, sessions);
}

/** GoBGP's `softresetin` only evaluates its own Adj-RIB-In again. */
async function gobgpNeverAsks(bench: InteropBench): Promise<string> {
  await both(bench);
  await bench.router.requestRefresh();
  await bench.router.announce({ prefix: LATER_PREFIX });
  await weHave(bench, LATER_PREFIX);
  const types = await bench.decoded(`bgp and ip.src == ${bench.theirs.ipv4}`, ['bgp.type']);
  const theirs = new Set(types.flatMap(([type]) => type.split(',')));
  assert.ok(theirs.size > 0 && !theirs.has('5'));
  return (
    'GoBGP has no command that sends one: after `gobgp neighbor ADDRESS softresetin` and a route, the capture ' +
    `holds from it messages of the types ${[...theirs].sort().join(', ')}, and none of type 5 (ROUTE-REFRESH).`
  );
}

/** OpenBGPD 7.7 inverts the test of the family; fixed in 7.8. */
async function openbgpdIgnores(bench: InteropBench): Promise<string> {
  await both(bench);
  await bench.speaker.refresh(bench.kind);
  const log = await routerReports(bench, /route refresh: AID IPv4 unicast not negotiated/);
  await bench.router.announce({ prefix: LATER_PREFIX });
  await weHave(bench, LATER_PREFIX);
  assert.equal(await timesTold(bench, bench.theirs.ipv4, THEIR_PREFIX), 1);
  return `OpenBGPD logs "${log}" of the family of the session, and sends nothing.`;
}

/** ExaBGP 4.2 fails on the marker in front of its own answer. */
async function exabgpCloses(bench: InteropBench): Promise<string> {
  await both(bench);
  await bench.speaker.refresh(bench.kind);
  const said = await routerReports(bench, /"state": "down", "reason": "[^"]*"/);
  await until('us to see it', async () => {
    return (await bench.speaker.peer()).lastError?.text === 'the peer closed the connection';
  });
  assert.deepEqual(await refreshes(bench, bench.theirs.ipv4), []);
  return `ExaBGP closes the connection when it is asked and has agreed on RFC 7313: its event says ${said}, and the capture holds no ROUTE-REFRESH of its.`;
}

const noMarks = notInOpen('enhanced route refresh', PLAN);

export const refresh: MatrixRow[] = [
  {
    name: 'refresh-ours',
    title: 'we ask for a route refresh (RFC 2918), and the peer sends all again',
    run: weAsk,
    lacks: { openbgpd: openbgpdIgnores, exabgp: exabgpCloses },
  },
  {
    name: 'refresh-peer',
    title: 'the peer asks for a route refresh (RFC 2918), and we send all again',
    run: theyAsk,
    lacks: { gobgp: gobgpNeverAsks },
  },
  {
    name: 'refresh-marked',
    title: 'enhanced route refresh (RFC 7313): begin and end are marked both ways',
    run: marked,
    lacks: { gobgp: noMarks, openbgpd: openbgpdIgnores, exabgp: exabgpCloses },
  },
];
