import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readJournal } from '../../ipam/journal-format.ts';
import { eventually, TestNode } from './node.ts';

const PODS = 100;
/** Answered calls between two kills of the service. */
const KILL_EVERY = 40;
/** Most kills in each half; without a limit, repeated ADDs might never succeed. */
const KILLS_MAX = 4;

/** A random generator (mulberry32) with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe('pods: storm', () => {
  let node: TestNode;
  /** The addresses of successful ADDs, until their DEL. */
  let held: Map<string, number>;
  let answers = 0;
  let aways = 0;
  let kills = 0;
  let killsMax = KILLS_MAX;
  let killing: Promise<void> | undefined;

  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  const next = random(seed);

  /** Executes the plugin. After every KILL_EVERY answers the service is killed and restarted while other calls run. */
  const call = async (command: string, pod: number) => {
    const result = await node.plugin(command, pod);
    if (result.exitCode === 0) answers++;
    else if (result.json.code === 11) aways++;
    if (result.exitCode === 0 && answers % KILL_EVERY === 0 && kills < killsMax) {
      killing ??= (async () => {
        kills++;
        await node.end('SIGKILL');
        await node.start();
        killing = undefined;
      })();
    }
    return result;
  };

  /** DEL until it succeeds, as a runtime does. */
  const remove = async (pod: number): Promise<void> => {
    for (const [address, holder] of held) if (holder === pod) held.delete(address);
    for (;;) {
      const result = await call('DEL', pod);
      if (result.exitCode === 0) return;
      assert.equal(result.json.code, 11, `seed ${seed}: DEL ${pod}: ${result.stdout}`);
      assert.ok(result.ms < 5000, `DEL took ${result.ms} ms to say that the agent is away`);
      await killing;
    }
  };

  /** ADD until it succeeds, with a DEL after each failure. */
  const add = async (pod: number): Promise<void> => {
    for (;;) {
      const result = await call('ADD', pod);
      if (result.exitCode === 0) {
        const { address } = result.json.ips![0];
        assert.equal(
          held.get(address),
          undefined,
          `seed ${seed}: ${address} is given to ${pod} and ${held.get(address)}`,
        );
        held.set(address, pod);
        return;
      }
      assert.equal(result.json.code, 11, `seed ${seed}: ADD ${pod}: ${result.stdout}`);
      await killing;
      await remove(pod);
    }
  };

  const shuffled = (): number[] =>
    Array.from({ length: PODS }, (_, pod) => ({ pod, at: next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ pod }) => pod);

  before(async () => {
    // Few more addresses than pods, so that addresses are reused.
    node = new TestNode({ podCIDRs: ['10.244.1.0/26', '10.244.2.0/26'] });
    held = new Map();
    node.addPods(...Array.from({ length: PODS }, (_, pod) => pod));
    await node.start();
  });

  after(() => node?.remove());

  it(`${PODS} pods are attached and detached at once while the agent is killed: no address twice`, async () => {
    await Promise.all(
      shuffled().map(async (pod) => {
        await add(pod);
        for (let round = 0; round < 2; round++) {
          if (next() < 0.5) continue;
          await remove(pod);
          await add(pod);
        }
      }),
    );
    await killing;
    assert.equal(held.size, PODS);
    assert.ok(kills >= 2, `${kills} kills`);
    assert.ok(aways > 0, 'no call met a dead agent');
  });

  it('lists each pod with its address, and all of them answer', async () => {
    await node.end('SIGKILL');
    await node.start();
    const pods = await node.ask<{ containerId: string; address: string; state: string }[]>('refresh');
    const known = pods.map(({ containerId, address }) => `${address}/32 ${containerId}`).sort();
    assert.deepEqual(known, [...held].map(([address, pod]) => `${address} container-${pod}`).sort());
    assert.deepEqual([...new Set(pods.map(({ state }) => state))], ['up']);
    const silent = pods.filter(({ address }) => node.ping('node', address) !== 1);
    assert.deepEqual(silent, []);
  });

  it('leaks nothing after all are deleted, in random order, with more kills', async () => {
    const before = kills;
    killsMax = kills + KILLS_MAX;
    await Promise.all(shuffled().map(remove));
    await killing;
    assert.ok(kills > before);
    assert.deepEqual(await node.list(), []);
    await eventually('all links are deleted', () => node.links().length === 0);
    await eventually('no address is used', async () =>
      (await node.ranges()).every(({ used, resting }) => used + resting === 0),
    );
    const routes = node
      .ip('route')
      .split('\n')
      .filter((line) => / dev fr/.test(line));
    assert.deepEqual(routes, []);
    assert.equal(await node.end('SIGTERM'), 0, node.errors);
    const { state } = readJournal(node.journal, readFileSync(node.journal));
    assert.equal(state.allocations.size, 0);
  });
});
