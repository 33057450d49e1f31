import assert from 'node:assert/strict';
import { until } from '../lab/wait.ts';
import { converged } from '../start/checks.ts';
import { threeNodes } from '../topologies/three-nodes.ts';
import { addressOf, ownRoutes, useLab, view } from './support/lab.ts';

/** Packets of a measurement: one every millisecond. */
const PACKETS = 4000;

describe('a restart of an agent under traffic (RFC 4724)', () => {
  const lab = useLab(threeNodes);

  beforeEach(async function () {
    this.timeout(60_000);
    await lab().allEstablished();
    await converged(lab());
  });

  /** How many of PACKETS pings from a place to an address were lost. */
  async function lost(from: string, address: string): Promise<number> {
    const output = await lab().must(from, [
      'ping',
      '-q',
      '-i',
      '0.001',
      '-c',
      String(PACKETS),
      '-W',
      '1',
      address,
    ]);
    const counts = /(\d+) packets transmitted, (\d+) received/.exec(output);
    assert.ok(counts, output);
    assert.equal(Number(counts[1]), PACKETS);
    return PACKETS - Number(counts[2]);
  }

  const RESTARTS = [
    ['killed', async () => lab().agent('n3').daemon.kill()],
    [
      'told to leave for a restart',
      async () => {
        lab().agent('n3').daemon.signal('SIGUSR2');
        assert.equal(await lab().agent('n3').daemon.ended(), 0);
      },
    ],
  ] as const;

  for (const [how, end] of RESTARTS) {
    it(`loses no packet, and no route at BIRD or at another node, when it is ${how} and started again`, async function () {
      this.timeout(120_000);
      const pod = addressOf(lab(), 'n3-a');
      const n1 = await ownRoutes(lab(), 'n1');
      const n3 = await ownRoutes(lab(), 'n3');
      const monitors = ['tor', 'n1'].map((place) =>
        lab().run(place, ['timeout', '9', 'ip', '-4', 'monitor', 'route']),
      );
      const losses = Promise.all([lost('outside', pod), lost('n1-a', pod)]);
      await end();
      const whileAway = await view<{ routes: { paths: { reason: string }[] }[] }>(
        lab(),
        'n1',
        'routes',
        '10.244.3.0/26',
      );
      assert.match(whileAway.routes[0].paths[0].reason, /stale/);
      lab().agent('n3').daemon.start();
      await lab().agentReady('n3');
      await lab().allEstablished();
      await until('n1 to have heard n3 again', async () => {
        const { routes } = await view<typeof whileAway>(lab(), 'n1', 'routes', '10.244.3.0/26');
        return !/stale/.test(routes[0].paths[0].reason);
      });
      assert.deepEqual(await losses, [0, 0]);
      for (const { stdout } of await Promise.all(monitors)) {
        assert.doesNotMatch(stdout, /Deleted 10\.244\.3\.0\/26/);
      }
      assert.deepEqual(await ownRoutes(lab(), 'n1'), n1);
      assert.deepEqual(await ownRoutes(lab(), 'n3'), n3);
    });
  }
});
