import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { until } from '../lab/wait.ts';
import { converged } from '../start/checks.ts';
import { threeNodes } from '../topologies/three-nodes.ts';
import { addressOf, assertReaches, establishedCounts, untilRoute, useLab } from './support/lab.ts';

describe('reload, stop, and foreign routes', () => {
  const lab = useLab(threeNodes);

  it('keeps the running configuration after a broken reload, and logs file, line and key', async () => {
    const agent = lab().agent('n1');
    await lab().allEstablished();
    const counts = await establishedCounts(lab(), 'n1');
    const good = readFileSync(agent.configFile, 'utf8');
    const broken = good.replace('peers:', 'peersss:');
    const line = broken.split('\n').findIndex((text) => text.startsWith('peersss:')) + 1;
    writeFileSync(agent.configFile, broken);
    agent.daemon.signal('SIGHUP');
    await until('the error in the log', () => agent.daemon.log().includes('peersss'));
    assert.match(agent.daemon.log(), new RegExp(`agent\\.yaml:${line}\\b.*peersss`));
    assert.ok(await agent.ready());
    assert.deepEqual(await establishedCounts(lab(), 'n1'), counts);
    await assertReaches(lab(), 'n1-a', addressOf(lab(), 'n2-a'));
    writeFileSync(agent.configFile, good);
  });

  it('applies changes on reload without resetting a session, and sends peers the reason of a stop (RFC 9003)', async () => {
    const agent = lab().agent('n1');
    const counts = await establishedCounts(lab(), 'n1');
    const changed = `${readFileSync(agent.configFile, 'utf8')}bgp: { shutdownMessage: moving to rack seven }\n`;
    writeFileSync(agent.configFile, changed);
    const events = (await agent.status()).events.length;
    agent.daemon.signal('SIGHUP');
    await until('the reload to be logged', async () => {
      const { events: all } = await agent.status();
      return all.length > events && all.slice(events).some((event) => event.subject === 'config');
    });
    assert.deepEqual(await establishedCounts(lab(), 'n1'), counts);
    await agent.daemon.stop();
    assert.equal(await agent.daemon.ended(), 0);
    await until('the message in the log of BIRD', () =>
      lab().bird('tor').log().includes('moving to rack seven'),
    );
    await assertReaches(lab(), 'n1-a', addressOf(lab(), 'n1-b'));
    agent.daemon.start();
    await lab().agentReady('n1');
    await lab().allEstablished();
    await converged(lab());
  });

  it('leaves foreign routes alone and restores its own', async () => {
    const agent = lab().agent('n1');
    await converged(lab());
    await lab().ip('n1', 'route add 192.0.2.0/24 via 10.0.0.2 proto static');
    await lab().ip('n1', 'route add 198.51.100.0/24 dev eth0 proto 186');
    await lab().ip('n1', 'route del 10.244.2.0/26');
    await untilRoute(lab(), 'n1', '10.244.2.0/26', true);
    await agent.daemon.kill();
    agent.daemon.start();
    await lab().agentReady('n1');
    await lab().allEstablished();
    await converged(lab());
    const table = await lab().must('n1', ['ip', '-N', 'route']);
    assert.match(table, /^192\.0\.2\.0\/24 via 10\.0\.0\.2 dev eth0 proto 4\b/m);
    assert.match(table, /^198\.51\.100\.0\/24 dev eth0 proto 186\b/m);
  });
});
