import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from '../lab/daemon.ts';
import type { Lab } from '../lab/lab.ts';
import { netnsOf } from '../lab/netns.ts';
import { until } from '../lab/wait.ts';
import { converged } from '../start/checks.ts';
import { threeNodes, threeNodesFrr } from '../topologies/three-nodes.ts';
import { addressOf, ownRoutes, useLab, view } from './support/lab.ts';

/** Packets of one measurement, one every millisecond; measurements repeat until the restart is over. */
const PACKETS = 1000;
const RANGE = '10.244.3.0/26';

const RESTARTS = [
  ['killed', async (lab: Lab) => lab.agent('n3').daemon.kill()],
  [
    'asked to restart',
    async (lab: Lab) => {
      lab.agent('n3').daemon.signal('SIGUSR2');
      assert.equal(await lab.agent('n3').daemon.ended(), 0);
    },
  ],
] as const;

/** How many of PACKETS pings from a place to an address were lost. */
async function lost(lab: Lab, from: string, address: string): Promise<number> {
  const count = String(PACKETS);
  // ping exits with 1 when no answer arrived.
  const { stdout } = await lab.run(from, ['ping', '-q', '-i', '0.001', '-c', count, '-W', '1', address]);
  const counts = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  assert.ok(counts, stdout);
  assert.equal(Number(counts[1]), PACKETS);
  return PACKETS - Number(counts[2]);
}

/** Checks repeated until `end`, at least twice: counts lost packets, and checks that found no route. */
class Watch {
  packetsLost = 0;
  checks = 0;
  checksWithoutRoute = 0;
  #over = false;
  readonly #all: Promise<unknown>;

  constructor(lab: Lab) {
    const pod = addressOf(lab, 'n3-a');
    this.#all = Promise.all([
      ...['outside', 'n1-a'].map((from) =>
        this.#repeat(async () => {
          this.packetsLost += await lost(lab, from, pod);
        }),
      ),
      this.#repeat(async () => {
        this.checks++;
        if (!(await lab.router('tor').hasRoute(RANGE))) this.checksWithoutRoute++;
        await sleep(20);
      }),
    ]);
  }

  async #repeat(check: () => Promise<void>): Promise<void> {
    do await check();
    while (!this.#over);
    await check();
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.#all;
  }
}

/** Records every change of the kernel's routes until it is stopped. */
function monitorRoutes(lab: Lab, place: string): Daemon {
  const monitor = new Daemon({
    lab: lab.id,
    title: `the monitor on ${place}`,
    command: ['ip', '-4', 'monitor', 'route'],
    netns: netnsOf(lab.id, place),
    logFile: join(lab.folder, `${place}-routes.log`),
  });
  monitor.start();
  return monitor;
}

/** Why n1 uses its path to n3's range. */
async function reasonAtN1(lab: Lab): Promise<string> {
  const { routes } = await view<{ routes: { paths: { reason: string }[] }[] }>(lab, 'n1', 'routes', RANGE);
  return routes[0].paths[0].reason;
}

for (const [software, topology] of [
  ['BIRD', threeNodes],
  ['FRR', threeNodesFrr],
] as const) {
  describe(`a restart of an agent under traffic (RFC 4724), ${software} being the ToR switch`, () => {
    const lab = useLab(topology);

    beforeEach(async function () {
      this.timeout(60_000);
      await lab().allEstablished();
      await converged(lab());
    });

    for (const [how, end] of RESTARTS) {
      it(`loses no packet, and no route at ${software} or at another node, when it is ${how} and started again`, async function () {
        this.timeout(120_000);
        const n1 = await ownRoutes(lab(), 'n1');
        const n3 = await ownRoutes(lab(), 'n3');
        const monitors = ['tor', 'n1'].map((place) => monitorRoutes(lab(), place));
        const watch = new Watch(lab());
        try {
          await end(lab());
          await until('tor to notice that n3 is down', async () => {
            return !(await lab().router('tor').establishedPeers()).includes('n3');
          });
          assert.match(await reasonAtN1(lab()), /stale/);
          lab().agent('n3').daemon.start();
          await lab().agentReady('n3');
          await lab().allEstablished();
          await until(
            'n1 to have the routes of n3 again',
            async () => !/stale/.test(await reasonAtN1(lab())),
          );
        } finally {
          await watch.end();
          for (const monitor of monitors) await monitor.stop();
        }
        assert.deepEqual([watch.packetsLost, watch.checksWithoutRoute], [0, 0], `${watch.checks} checks`);
        for (const monitor of monitors) assert.doesNotMatch(monitor.log(), /Deleted 10\.244\.3\.0\/26/);
        assert.deepEqual(await ownRoutes(lab(), 'n1'), n1);
        assert.deepEqual(await ownRoutes(lab(), 'n3'), n3);
      });
    }
  });
}
