/** Network namespaces of a lab, named `ID-MACHINE`, and commands of iproute2 in them. */

import { readdirSync } from 'node:fs';
import { must } from './processes.ts';

// Commands that clean up bear no lab's mark, or another run that cleans up the same lab would kill them.
const unmarked = '';

/** The namespace of a machine or pod. */
export function netnsOf(lab: string, name: string): string {
  return `${lab}-${name}`;
}

/** The namespaces of a lab. */
export function namespacesOf(lab: string): string[] {
  try {
    return readdirSync('/run/netns').filter((name) => name.startsWith(`${lab}-`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // no namespace was ever created
    throw error;
  }
}

/** Creates a namespace with its loopback up. */
export async function createNamespace(lab: string, name: string): Promise<string> {
  const netns = netnsOf(lab, name);
  await must(lab, ['ip', 'netns', 'add', netns]);
  await ipBatch(lab, netns, ['link set lo up']);
  return netns;
}

/** Deletes all namespaces of a lab, with every link in them. Two runs may do so for the same abandoned lab at once. */
export async function deleteNamespaces(lab: string): Promise<void> {
  for (const netns of namespacesOf(lab)) {
    try {
      await must(unmarked, ['ip', 'netns', 'del', netns]);
    } catch (error) {
      if (namespacesOf(lab).includes(netns)) throw error;
    }
  }
}

/** Runs lines of `ip -batch` in a namespace; stops at the first that fails. */
export async function ipBatch(lab: string, netns: string, lines: string[]): Promise<void> {
  await must(lab, ['ip', '-n', netns, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}
