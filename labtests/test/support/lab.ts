import assert from 'node:assert/strict';
import { join } from 'node:path';
import { flatroute } from '../../lab/command.ts';
import { Lab } from '../../lab/lab.ts';
import { repository } from '../../lab/processes.ts';
import { stopOnSignals } from '../../lab/signals.ts';
import type { LabTopology } from '../../lab/topology.ts';
import { until } from '../../lab/wait.ts';
import { ping } from '../../start/reachability.ts';

let current: Lab | undefined;

/** Starts a lab before the tests of the enclosing `describe` and takes it down after them; nothing may be left. */
export function useLab(topology: LabTopology): () => Lab {
  before(async function () {
    this.timeout(90_000);
    if (!current) stopOnSignals(async () => current?.stop());
    current = new Lab(topology);
    await current.start();
  });
  after(async function () {
    this.timeout(60_000);
    assert.deepEqual(await current?.stop(), []);
  });
  return () => {
    assert.ok(current, 'the lab runs only during tests');
    return current;
  };
}

/** Asserts that one ping from a place to an address is answered. */
export async function assertReaches(lab: Lab, from: string, address: string): Promise<void> {
  const milliseconds = await ping(lab, from, address);
  assert.notEqual(milliseconds, undefined, `${from} does not reach ${address}`);
}

/** The address of a pod. */
export function addressOf(lab: Lab, pod: string): string {
  const found = lab.pods.get(pod);
  assert.ok(found, `the lab has no pod ${pod}`);
  return found.address;
}

/** The routes of a machine's main table with protocol 179, one a line, sorted. */
export async function ownRoutes(lab: Lab, machine: string): Promise<string[]> {
  const table = await lab.must(machine, ['ip', '-N', 'route', 'show', 'proto', '179']);
  return table.trim().split('\n').sort();
}

/** Waits until a machine has, or no longer has, a route to a prefix. */
export async function untilRoute(lab: Lab, machine: string, prefix: string, there: boolean): Promise<void> {
  await until(`${machine} to ${there ? 'have' : 'lose'} the route to ${prefix}`, async () => {
    const line = await lab.must(machine, ['ip', 'route', 'show', prefix]);
    return (line.trim() !== '') === there;
  });
}

/** The output of `flatroute COMMAND --json` on a node. */
export async function view<T>(lab: Lab, node: string, ...command: string[]): Promise<T> {
  const socket = lab.agent(node).socket;
  return JSON.parse(await lab.must(node, [flatroute, ...command, '--json', '--socket', socket])) as T;
}

/** How often each session of a node was Established so far, by peer. */
export async function establishedCounts(lab: Lab, node: string): Promise<Record<string, number>> {
  const peers = await lab.agent(node).peers();
  return Object.fromEntries(peers.map((peer) => [peer.name, peer.establishedCount]));
}

/** A program that runs during a test. */
export function supportProgram(name: string): string {
  return join(repository, 'labtests/test/support', name);
}
