/** Graceful restart (RFC 4724) in both roles. */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../lab/wait.ts';
import type { InteropBench } from '../bench.ts';
import type { SessionPlan } from '../session-plan.ts';
import { OUR_PREFIX, routerReports, THEIR_PREFIX, theyHave, weHave } from './basics.ts';
import type { MatrixRow } from './row.ts';

const SENTINEL = '10.1.9.0/24';

/** Feeders without routes receive the router's routes from us, and ours from the router. */
const PLAN: SessionPlan = {
  type: 'eBGP',
  connects: 'both',
  originate: [{ prefix: OUR_PREFIX }],
  announce: [{ prefix: THEIR_PREFIX }],
  ours: { restartTime: 30 },
  theirs: { restartTime: 30 },
  feeders: [
    { as: 65011, to: 'us', originate: [] },
    { as: 65012, to: 'peer', originate: [], apart: true },
  ],
};

async function both(bench: InteropBench): Promise<void> {
  await bench.bring(PLAN);
  await theyHave(bench, OUR_PREFIX);
  await weHave(bench, THEIR_PREFIX);
}

/** Waits until our other peer has received a number of routes; returns the number of its UPDATEs. */
function updatesHeard(bench: InteropBench, routes: number): Promise<number> {
  return until('our other peer to have all routes', async () => {
    const { prefixes, counters } = await bench.speaker.feeder(0);
    // Each route has its own attributes and UPDATE; End-of-RIB is one too.
    return prefixes.accepted === routes && counters.updatesReceived > routes && counters.updatesReceived;
  });
}

/** The router is killed and restarts; our other peer receives no UPDATE. */
async function peerRestarts(bench: InteropBench): Promise<void> {
  await both(bench);
  const before = await updatesHeard(bench, 2);
  await bench.router.daemons.at(-1)!.kill();
  await until('us to notice that the peer is down', async () => {
    return (await bench.speaker.peer()).state !== 'Established';
  });
  const kept = await weHave(bench, THEIR_PREFIX);
  assert.deepEqual([kept.paths[0].status, kept.paths[0].stale], ['best', true]);
  // GoBGP gets its routes at run time: they must exist before it sends End-of-RIB.
  await bench.cut();
  await bench.startRouter(true);
  await bench.restore();
  await bench.established();
  await until('the peer to advertise its routes again', async () => {
    return (await bench.speaker.routes()).every(({ paths }) => paths.every(({ stale }) => !stale));
  });
  assert.equal((await weHave(bench, THEIR_PREFIX)).paths[0].status, 'best');
  await bench.speaker.originate(SENTINEL, { med: 9 });
  assert.equal(await updatesHeard(bench, 3), before + 1);
}

function observerHas(bench: InteropBench, wanted: string): Promise<boolean> {
  return until(`the observer to have ${wanted}`, async () => {
    return (await bench.observer.routes()).some(({ prefix }) => prefix === wanted);
  });
}

/** The restart state and forwarding state bits of our OPENs, in their order, as tshark reads them. */
async function ourBits(bench: InteropBench): Promise<string[]> {
  const filter = `bgp.type == 1 and ip.src == ${bench.ours.ipv4} and ip.dst == ${bench.theirs.ipv4}`;
  const fields = ['bgp.cap.gr.timers.restart_flag', 'bgp.cap.gr.flag.pfs'];
  return (await bench.decoded(filter, fields)).map((bits) => bits.join(' '));
}

/** We are killed and restart; the router keeps our route, and its other peer receives no UPDATE. */
async function weRestart(bench: InteropBench): Promise<void> {
  await both(bench);
  await observerHas(bench, OUR_PREFIX);
  const watched = { checks: 0, over: false, missing: 0 };
  const watch = async (): Promise<void> => {
    while (!watched.over) {
      const routes = await bench.router.routes('ipv4-unicast');
      watched.checks++;
      if (!routes.some(({ prefix }) => prefix === OUR_PREFIX)) watched.missing++;
      await sleep(20);
    }
  };
  const watching = watch();
  watching.catch(() => {}); // awaited below
  try {
    await bench.restartSpeaker(async () => {
      await until('the peer to notice that we are down', async () => !(await bench.router.established()));
      const checks = watched.checks;
      await until('a check of the stale routes', () => watched.checks > checks + 1);
    });
    await bench.established();
    await until('us to have the peer’s End-of-RIB', async () => {
      return (await bench.speaker.events()).some((event) => event.type === 'end-of-rib');
    });
    await weHave(bench, THEIR_PREFIX);
  } finally {
    watched.over = true;
    await watching;
  }
  const bits = await ourBits(bench);
  assert.deepEqual([bits[0], bits.at(-1)], ['0 0', '1 1']);
  // UPDATEs about the restart would arrive before that of a later route.
  await bench.speaker.originate(SENTINEL);
  await observerHas(bench, SENTINEL);
  const said = await bench.decoded(`ip.dst == ${bench.feederAddress(1)}`, ['bgp.withdrawn_prefix']);
  assert.deepEqual(
    said.flat().filter((prefixes) => prefixes !== ''),
    [],
  );
  assert.equal(watched.missing, 0, `${watched.missing} of ${watched.checks} checks found no route`);
}

/** Without families and time, the capability only announces End-of-RIB (RFC 4724 §3). */
async function openbgpdOnlyHelps(bench: InteropBench): Promise<string> {
  await bench.bring(PLAN);
  const opens = await bench.decoded(`bgp.type == 1 and ip.src == ${bench.theirs.ipv4}`, [
    'bgp.cap.gr.timers.restart_time',
    'bgp.cap.gr.afi',
  ]);
  const [[time, families = '']] = opens;
  assert.deepEqual([time, families], ['0', '']);
  return 'In the OPEN of OpenBGPD the graceful restart capability has a restart time of 0 and no family: it helps others and does not restart itself.';
}

/** ExaBGP has no routing table of its own. */
async function exabgpKeepsNothing(bench: InteropBench): Promise<string> {
  await both(bench);
  await bench.speaker.kill();
  const said = await routerReports(bench, /"state": "down", "reason": "[^"]*"/);
  const grep = 'grep -rlwi stale /usr/lib/python3/dist-packages/exabgp --include=*.py';
  const found = await bench.runIn('peer', ['sh', '-c', `${grep} | wc -l`]);
  assert.equal(found.trim(), '0');
  return `ExaBGP has no table in which to keep routes: its process hears ${said} and no more, and \`${grep}\` finds 0 files.`;
}

export const restart: MatrixRow[] = [
  {
    name: 'gr-helper',
    title: 'graceful restart (RFC 4724): the peer is killed and comes back, and we keep its routes',
    run: peerRestarts,
    lacks: { openbgpd: openbgpdOnlyHelps },
  },
  {
    name: 'gr-restarter',
    title: 'graceful restart (RFC 4724): we are killed and come back, and the peer keeps our routes',
    run: weRestart,
    lacks: { exabgp: exabgpKeepsNothing },
  },
];
