import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Lab, leftovers } from '../lab/lab.ts';
import { namespacesOf } from '../lab/netns.ts';
import { processesOf, startTimeOf } from '../lab/processes.ts';
import { folderOf, removeAbandonedLabs, runningLabs } from '../lab/registry.ts';
import { until } from '../lab/wait.ts';
import { ping } from '../start/reachability.ts';
import { threeRouters } from '../topologies/three-routers.ts';
import { assertReaches, supportProgram, untilRoute, useLab } from './support/lab.ts';

function assertNothingLeft(id: string): void {
  assert.deepEqual(leftovers(id), []);
  assert.ok(!existsSync(folderOf(id)), `${folderOf(id)} still exists`);
}

describe('a lab of three BIRD routers', () => {
  const lab = useLab(threeRouters);

  it('has every session Established and routes in the kernel', async () => {
    for (const name of ['r1', 'r2', 'r3']) {
      assert.equal((await lab().bird(name).establishedPeers()).length, 2, name);
    }
    await untilRoute(lab(), 'r1', '10.244.3.0/26', true);
    await until('the AS path', async () => (await lab().bird('r1').asPath('10.244.3.0/26')) === '65003');
    assert.equal(
      await lab()
        .bird('r1')
        .asPath('192.0.2.0/24')
        .catch(() => undefined),
      undefined,
    );
  });

  it('forwards packets until a cable is pulled', async () => {
    await untilRoute(lab(), 'r2', '10.244.3.0/26', true);
    await untilRoute(lab(), 'r3', '10.244.2.0/26', true);
    await assertReaches(lab(), 'r2', '10.244.3.1');
    await lab().cable('fabric', 'r3', false);
    assert.equal(await ping(lab(), 'r2', '10.244.3.1'), undefined);
    await lab().cable('fabric', 'r3', true);
    await until('the ping to come back', async () => (await ping(lab(), 'r2', '10.244.3.1')) !== undefined);
  });

  it('is listed while it runs', () => {
    const record = runningLabs().find((candidate) => candidate.id === lab().id);
    assert.equal(record?.owner.pid, process.pid);
    assert.equal(record?.owner.startTime, startTimeOf(process.pid));
    assert.equal(namespacesOf(lab().id).length, 3);
    assert.equal(processesOf(lab().id).length, 3);
  });

  it('runs beside a second one', async () => {
    const second = new Lab(threeRouters);
    try {
      await second.start();
      assert.notEqual(second.id, lab().id);
    } finally {
      assert.deepEqual(await second.stop(), []);
    }
    assertNothingLeft(second.id);
    assert.equal(processesOf(lab().id).length, 3, 'the first lab was disturbed');
  });
});

describe('the end of a lab', () => {
  let child: ChildProcess;
  let output = '';

  const startLab = () => {
    output = '';
    child = spawn(process.execPath, [supportProgram('hold-routers.ts')], {
      stdio: ['ignore', 'pipe', 2, 'ipc'],
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  };
  const labId = () => until('the id of the lab', () => /registered (\w+)/.exec(output)?.[1]);
  const ended = () => until('the process to end', () => child.exitCode !== null || child.signalCode !== null);

  afterEach(async () => {
    child.kill('SIGKILL');
    await ended();
    await removeAbandonedLabs();
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`leaves nothing after ${signal}`, async () => {
      startLab();
      const id = await labId();
      await until('the lab to be up', () => output.includes('up fl'));
      child.kill(signal);
      await ended();
      assertNothingLeft(id);
    });
  }

  it('leaves nothing after SIGTERM half-way, twice', async () => {
    startLab();
    const id = await labId();
    await until('some namespace', () => namespacesOf(id).length > 0);
    child.kill('SIGTERM');
    child.kill('SIGINT');
    await ended();
    assertNothingLeft(id);
    assert.ok(!output.includes('up fl'), 'the lab started nevertheless');
  });

  it('takes itself down when the process that started it dies', async () => {
    startLab();
    const id = await labId();
    await until('the lab to be up', () => output.includes('up fl'));
    child.disconnect();
    await ended();
    assertNothingLeft(id);
  });

  for (const moment of ['half-way', 'up'] as const) {
    it(`is cleaned up by the next lab after SIGKILL (${moment})`, async () => {
      startLab();
      const id = await labId();
      if (moment === 'up') await until('the lab to be up', () => output.includes('up fl'));
      else await until('some namespace', () => namespacesOf(id).length > 0);
      // Checked before the kill, because another run on this machine may clean up right after it.
      assert.notDeepEqual(leftovers(id), [], 'the kill would leave nothing to clean up');
      child.kill('SIGKILL');
      await ended();
      const next = new Lab(threeRouters);
      try {
        await next.start();
        assertNothingLeft(id);
      } finally {
        assert.deepEqual(await next.stop(), []);
      }
    });
  }

  it('is cleaned up by several runs at once without one failing', async () => {
    startLab();
    const id = await labId();
    await until('the lab to be up', () => output.includes('up fl'));
    child.kill('SIGKILL');
    await ended();
    await Promise.all([1, 2, 3, 4].map(() => removeAbandonedLabs()));
    assertNothingLeft(id);
  });
});
