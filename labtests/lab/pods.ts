/** Pods of a lab: network namespaces, wired by executing the CNI plugin (CNI spec 1.1.0). */

import { join } from 'node:path';
import type { LabAgent } from './agent.ts';
import { netnsOf } from './netns.ts';
import { type Result, repository, run } from './processes.ts';

/** The plugin as `npm run build` leaves it. */
const plugin = join(repository, 'cni/build/flatroute');

/** A pod whose ADD succeeded. */
export interface Pod {
  name: string;
  node: string;
  /** IPv4 address without prefix length. */
  address: string;
  netns: string;
}

/** A CNI error result. */
export interface PluginError {
  code: number;
  msg: string;
  details?: string;
}

/** The plugin's answer: the parsed result, or the parsed error. */
export interface CniAnswer {
  result?: { ips: { address: string }[]; [key: string]: unknown };
  error?: PluginError;
}

/** Executes the plugin in the node's namespace, as a container runtime does. */
export async function callPlugin(
  lab: string,
  agent: LabAgent,
  command: 'ADD' | 'DEL' | 'CHECK',
  pod: string,
  prevResult?: unknown,
): Promise<CniAnswer> {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: netnsOf(lab, pod),
    CNI_NETNS: `/run/netns/${netnsOf(lab, pod)}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: join(plugin, '..'),
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod}`,
    FLATROUTE_CNI_SOCKET: agent.cniSocket,
  };
  const config = { cniVersion: '1.1.0', name: 'flatroute', type: 'flatroute', prevResult };
  const netns = netnsOf(lab, agent.name);
  return parseAnswer(await run(lab, [plugin], { netns, env, input: JSON.stringify(config) }));
}

function parseAnswer({ code, stdout, stderr }: Result): CniAnswer {
  if (code === 0) return { result: stdout.trim() === '' ? undefined : JSON.parse(stdout) };
  try {
    return { error: JSON.parse(stdout) as PluginError };
  } catch {
    throw new Error(`the plugin exited with ${code} and without a CNI error: "${stdout}" ${stderr}`);
  }
}

/** The error of an answer as an Error. */
export function cniFailure(command: string, pod: string, error: PluginError): Error {
  return new Error(
    `CNI ${command} of pod ${pod} failed with code ${error.code}: ${error.msg} ${error.details ?? ''}`,
  );
}
