import assert from 'node:assert/strict';
import type { PeerView } from '@flatroute/common/http/api-documents.ts';
import type { Lab } from '../lab/lab.ts';
import { until } from '../lab/wait.ts';
import { converged } from '../start/checks.ts';
import { ping } from '../start/reachability.ts';
import { threeNodes } from '../topologies/three-nodes.ts';
import {
  addressOf,
  assertReaches,
  establishedCounts,
  ownRoutes,
  untilRoute,
  useLab,
  view,
} from './support/lab.ts';

/** Drops BGP between n1 and one peer in n1's namespace, in both directions, so that only the hold timer notices. */
async function cutBgp(lab: Lab, peer: string): Promise<void> {
  const chain = (hook: string, side: string) => `chain ${hook} {
    type filter hook ${hook} priority 0
    ip ${side} ${peer} tcp sport 179 drop
    ip ${side} ${peer} tcp dport 179 drop
  }`;
  const input = `table inet cut {\n${chain('input', 'saddr')}\n${chain('output', 'daddr')}\n}\n`;
  await lab.must('n1', ['nft', '-f', '-'], { input });
}

async function peerAsSeenBy(lab: Lab, node: string, name: string): Promise<PeerView> {
  const { peers } = await view<{ peers: PeerView[] }>(lab, node, 'peers');
  const peer = peers.find((candidate) => candidate.name === name);
  assert.ok(peer, `${node} shows no peer ${name}`);
  return peer;
}

describe('failures in the lab of three nodes', () => {
  const lab = useLab(threeNodes);

  beforeEach(async function () {
    this.timeout(60_000);
    await lab().allEstablished();
    await converged(lab());
  });

  it('ends a cut session by the hold timer on both sides, and has its routes again with it', async function () {
    this.timeout(120_000);
    const addresses = { n2: addressOf(lab(), 'n2-a'), n3: addressOf(lab(), 'n3-a') };
    await cutBgp(lab(), '10.0.0.2');
    for (const [node, peer] of [
      ['n1', 'n2'],
      ['n2', 'n1'],
    ]) {
      const text = await until(`${node} to report the hold timer`, async () => {
        const error = (await peerAsSeenBy(lab(), node, peer)).lastError?.text;
        return error && /4\/0/.test(error) ? error : undefined;
      });
      assert.match(text, /hold timer expired/i);
    }
    await untilRoute(lab(), 'n1', '10.244.2.0/26', false);
    await untilRoute(lab(), 'n2', '10.244.1.0/26', false);
    assert.equal(await ping(lab(), 'n1-a', addresses.n2), undefined);
    await assertReaches(lab(), 'n1-a', addresses.n3);
    await lab().must('n1', ['nft', 'delete', 'table', 'inet', 'cut']);
    await untilRoute(lab(), 'n1', '10.244.2.0/26', true);
    await untilRoute(lab(), 'n2', '10.244.1.0/26', true);
    await assertReaches(lab(), 'n1-a', addresses.n2);
  });

  it('keeps pods reachable when their agent is killed, which then finds its state again', async function () {
    this.timeout(120_000);
    const agent = lab().agent('n3');
    const podsBefore = (await agent.pods()).map(({ name, address }) => `${name} ${address}`).sort();
    const routesBefore = await ownRoutes(lab(), 'n3');
    assert.equal(podsBefore.length, 2);
    const sessionsBefore = await establishedCounts(lab(), 'n1');
    await agent.daemon.kill();
    await assertReaches(lab(), 'n3-a', addressOf(lab(), 'n3-b'));
    await assertReaches(lab(), 'n3-b', addressOf(lab(), 'n3-a'));
    assert.deepEqual(await ownRoutes(lab(), 'n3'), routesBefore);
    agent.daemon.start();
    await lab().agentReady('n3');
    await lab().allEstablished();
    await converged(lab());
    assert.deepEqual(
      (await agent.pods()).map(({ name, address }) => `${name} ${address}`).sort(),
      podsBefore,
    );
    await until('the routes to be as before', async () => {
      const routes = await ownRoutes(lab(), 'n3');
      return routes.join('\n') === routesBefore.join('\n');
    });
    await assertReaches(lab(), 'n3-a', addressOf(lab(), 'n1-a'));
    await assertReaches(lab(), 'outside', addressOf(lab(), 'n3-b'));
    const sessionsAfter = await establishedCounts(lab(), 'n1');
    assert.deepEqual(sessionsAfter, { ...sessionsBefore, n3: sessionsBefore.n3 + 1 });
  });

  it('resets no other session when a link is pulled', async function () {
    this.timeout(120_000);
    const { n3: _, ...others } = await establishedCounts(lab(), 'n1');
    await lab().cable('fabric', 'n3', false);
    await until('n1 to lose its session with n3', async () => {
      return (await lab().agent('n1').peer('n3')).state !== 'Established';
    });
    await untilRoute(lab(), 'n1', '10.244.3.0/26', false);
    await untilRoute(lab(), 'tor', '10.244.3.0/26', false);
    await assertReaches(lab(), 'n1-a', addressOf(lab(), 'n2-a'));
    await assertReaches(lab(), 'outside', addressOf(lab(), 'n2-b'));
    await assertReaches(lab(), 'n3-a', addressOf(lab(), 'n3-b'));
    await lab().cable('fabric', 'n3', true);
    await lab().allEstablished();
    await converged(lab());
    await assertReaches(lab(), 'n1-a', addressOf(lab(), 'n3-a'));
    const { n3: __, ...after } = await establishedCounts(lab(), 'n1');
    assert.deepEqual(after, others, 'a session without n3 was reset');
  });

  it('has one session for each pair of agents that start at the same time', async function () {
    this.timeout(120_000);
    for (let round = 0; round < 3; round++) {
      const pair = [lab().agent('n1'), lab().agent('n2')];
      await Promise.all(pair.map((agent) => agent.daemon.stop()));
      for (const agent of pair) agent.daemon.start();
      for (const agent of pair) await lab().agentReady(agent.name);
      await lab().allEstablished();
      for (const [node, peer] of [
        ['n1', '10.0.0.2'],
        ['n2', '10.0.0.1'],
      ]) {
        await until(`one connection from ${node} to ${peer}`, async () => {
          const filter = `dst ${peer} and ( sport = 179 or dport = 179 )`;
          const sockets = await lab().must(node, ['ss', '-tnH', 'state', 'established', filter]);
          return sockets.trim().split('\n').length === 1;
        });
      }
    }
  });
});
