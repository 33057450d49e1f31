/** Reachability: one ping from every pod to every pod, every node and the machines outside, and back. */

import type { Lab } from '../lab/lab.ts';
import { machineAddress } from '../lab/topology.ts';
import { mapLimit } from '../lab/wait.ts';
import { table } from './table.ts';

/** A machine or pod with its address. */
export interface Place {
  name: string;
  address: string;
}

/** A ping: the round-trip time in milliseconds, undefined without an answer. */
export interface Reach {
  from: string;
  to: string;
  milliseconds: number | undefined;
}

/** The pods of a lab, by name. */
export function podsOf(lab: Lab): Place[] {
  const pods = [...lab.pods.values()].map(({ name, address }) => ({ name, address }));
  return pods.sort((a, b) => a.name.localeCompare(b.name));
}

/** The machines of a lab with the given role. */
export function machinesOf(lab: Lab, role: 'agent' | 'host'): Place[] {
  const machines = lab.topology.machines.filter((machine) => machine.role === role);
  return machines.map((machine) => ({ name: machine.name, address: machineAddress(machine) }));
}

/** Pings from every pod to every pod, node and host, and from every host to every pod. */
export async function measureReachability(lab: Lab): Promise<Reach[]> {
  const pods = podsOf(lab);
  const hosts = machinesOf(lab, 'host');
  const targets = [...pods, ...machinesOf(lab, 'agent'), ...hosts];
  const pairs = [
    ...pods.flatMap((from) => targets.map((to) => ({ from, to }))),
    ...hosts.flatMap((from) => pods.map((to) => ({ from, to }))),
  ];
  return mapLimit(pairs, 4, async ({ from, to }) => ({
    from: from.name,
    to: to.name,
    milliseconds: await ping(lab, from.name, to.address),
  }));
}

/** One echo request; the round-trip time in milliseconds, or undefined without an answer. */
export async function ping(lab: Lab, from: string, address: string): Promise<number | undefined> {
  const { stdout } = await lab.run(from, ['ping', '-n', '-c', '1', '-W', '2', address]);
  const time = /time=([\d.]+) ms/.exec(stdout)?.[1];
  return time === undefined ? undefined : Number(time);
}

/** The pings as a matrix, senders down, targets across, milliseconds in the cells. */
export function reachabilityTable(reaches: Reach[]): string {
  const names = (pick: (reach: Reach) => string) => [...new Set(reaches.map(pick))];
  const targets = names((reach) => reach.to);
  const rows = names((reach) => reach.from).map((from) => [
    from,
    ...targets.map((to) => {
      const reach = reaches.find((candidate) => candidate.from === from && candidate.to === to);
      if (!reach) return '';
      return reach.milliseconds === undefined ? 'FAILED' : reach.milliseconds.toFixed(2);
    }),
  ]);
  const columns = targets.map((_, index) => index + 1);
  return table([['from \\ to', ...targets], ...rows], columns);
}
