import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../lab/lab.ts';
import { createNamespace } from '../lab/netns.ts';
import { callPlugin } from '../lab/pods.ts';
import { mapLimit, until } from '../lab/wait.ts';
import { ping } from '../start/reachability.ts';
import { oneNode } from '../topologies/one-node.ts';
import { useLab } from './support/lab.ts';

const podCount = 100;
const names = Array.from({ length: podCount }, (_, index) => `p${index}`);

/** As a container runtime does: after a failed ADD a DEL, then the ADD again. */
async function addPersistently(lab: Lab, pod: string): Promise<string> {
  return until(
    `pod ${pod} to be added`,
    async () => {
      const { result, error } = await callPlugin(lab.id, lab.agent('n1'), 'ADD', pod);
      if (!error && result) return result.ips[0].address.split('/')[0];
      await deletePersistently(lab, pod);
      return undefined;
    },
    patient,
  );
}

async function deletePersistently(lab: Lab, pod: string): Promise<void> {
  await until(
    `pod ${pod} to be deleted`,
    async () => {
      const { error } = await callPlugin(lab.id, lab.agent('n1'), 'DEL', pod);
      return error === undefined;
    },
    patient,
  );
}
const patient = { timeoutMs: 60_000, intervalMs: 100 };

/** While `work` runs, kills and restarts the agent whenever a number of calls have succeeded. */
async function withKills(
  lab: Lab,
  done: () => number,
  at: number[],
  work: () => Promise<void>,
): Promise<void> {
  const agent = lab.agent('n1');
  const killer = (async () => {
    for (const count of at) {
      await until(`${count} calls to be done`, () => done() >= count, { ...patient, intervalMs: 1 });
      await agent.daemon.kill();
      agent.daemon.start();
      await lab.agentReady('n1');
    }
  })();
  await Promise.all([killer, work()]);
}

describe('pods under load', () => {
  const lab = useLab(oneNode);

  it('gives no address twice in 100 parallel ADDs with the agent killed in between', async function () {
    this.timeout(180_000);
    for (const name of names) await createNamespace(lab().id, name);
    const addresses = new Map<string, string>();
    await withKills(
      lab(),
      () => addresses.size,
      [10, 50],
      async () => {
        await Promise.all(names.map(async (name) => addresses.set(name, await addPersistently(lab(), name))));
      },
    );
    assert.equal(new Set(addresses.values()).size, podCount, 'an address was allocated twice');
    const listed = (await lab().agent('n1').pods()).map((pod) => pod.address).sort();
    assert.deepEqual(listed, [...addresses.values()].sort());
    const silent = await mapLimit([...addresses.values()], 4, async (address) =>
      (await ping(lab(), 'n1', address)) === undefined ? [address] : [],
    );
    assert.deepEqual(silent.flat(), [], 'these pods do not answer their node');
  });

  it('answers code 11 within a second when the agent is down', async () => {
    const agent = lab().agent('n1');
    await agent.daemon.kill();
    await createNamespace(lab().id, 'early');
    for (const command of ['ADD', 'DEL', 'CHECK'] as const) {
      const start = performance.now();
      const { error } = await callPlugin(lab().id, agent, command, 'early');
      const milliseconds = performance.now() - start;
      assert.equal(error?.code, 11, `${command} answered ${JSON.stringify(error)}`);
      assert.ok(milliseconds < 1000, `${command} took ${milliseconds} ms`);
    }
    agent.daemon.start();
    await lab().agentReady('n1');
  });

  it('leaks nothing in 100 parallel DELs in another order with the agent killed in between', async function () {
    this.timeout(180_000);
    let done = 0;
    await withKills(
      lab(),
      () => done,
      [10, 50],
      async () => {
        await Promise.all(
          names.toReversed().map(async (name) => {
            await deletePersistently(lab(), name);
            done++;
          }),
        );
      },
    );
    const agent = lab().agent('n1');
    assert.deepEqual(await agent.pods(), []);
    await until('every address to be free again', async () => {
      const ranges = (await agent.status()).pods?.ranges;
      return ranges?.length === 1 && ranges[0].used === 0;
    });
    await until(
      'the host links to go',
      async () => !/\bfr[0-9a-f]/.test(await lab().must('n1', ['ip', '-br', 'link'])),
    );
    const routes = await lab().must('n1', ['ip', 'route', 'show', 'proto', '179']);
    assert.match(routes, /^blackhole 10\.244\.1\.0\/24\b[^\n]*\n?$/);
  });

  it('leaves nothing after ADD and DEL raced for the same pods', async function () {
    this.timeout(180_000);
    const raced = names.slice(0, 20);
    await Promise.all(
      raced.flatMap((name) => [
        callPlugin(lab().id, lab().agent('n1'), 'ADD', name),
        sleep(Math.random() * 20).then(() => callPlugin(lab().id, lab().agent('n1'), 'DEL', name)),
      ]),
    );
    for (const name of raced) await deletePersistently(lab(), name);
    assert.deepEqual(await lab().agent('n1').pods(), []);
    await until('the link of a deleted pod to go', async () => {
      return !(await lab().must('p0', ['ip', '-br', 'link'])).includes('eth0');
    });
  });
});
