/** Topology → namespaces, bridges and veth pairs. Links are created in the lab's namespaces only. */

import { createNamespace, ipBatch, netnsOf } from './netns.ts';
import { must } from './processes.ts';
import type { LabTopology, Machine } from './topology.ts';

/** Creates a namespace for every machine and connects them by the topology's segments. */
export async function buildNetwork(lab: string, topology: LabTopology): Promise<void> {
  for (const machine of topology.machines) await createNamespace(lab, machine.name);
  for (const segment of topology.segments) await buildSegment(lab, topology, segment.name, segment.switch);
  for (const machine of topology.machines) await configure(lab, machine);
}

/** Unplugs or plugs a machine's cable on a segment: the machine's end loses and regains its carrier. */
export async function setCable(
  lab: string,
  topology: LabTopology,
  segment: string,
  machine: string,
  plugged: boolean,
): Promise<void> {
  const found = topology.segments.find((candidate) => candidate.name === segment);
  if (!found) throw new Error(`the lab has no segment ${segment}`);
  await ipBatch(lab, netnsOf(lab, found.switch), [`link set ${machine} ${plugged ? 'up' : 'down'}`]);
}

// The switch's end of a cable is named after the machine at the other end.
async function buildSegment(lab: string, topology: LabTopology, segment: string, hub: string): Promise<void> {
  const lines: string[] = [];
  for (const machine of topology.machines) {
    for (const attachment of machine.attachments) {
      if (attachment.segment !== segment) continue;
      if (machine.name === hub) {
        // First, before its ports. A fixed MAC address, because a bridge otherwise takes that of a port.
        lines.unshift(`link add ${attachment.interface} address 02:00:00:00:00:01 type bridge`);
        lines.push(`addr add ${attachment.address} dev ${attachment.interface}`);
        lines.push(`link set ${attachment.interface} up`);
      } else {
        const bridge = bridgeOf(topology, segment, hub);
        const peer = `peer name ${attachment.interface} netns ${netnsOf(lab, machine.name)}`;
        lines.push(`link add ${machine.name} type veth ${peer}`);
        lines.push(`link set ${machine.name} master ${bridge} up`);
      }
    }
  }
  await ipBatch(lab, netnsOf(lab, hub), lines);
}

function bridgeOf(topology: LabTopology, segment: string, hub: string): string {
  const machine = topology.machines.find((candidate) => candidate.name === hub);
  const attachment = machine?.attachments.find((candidate) => candidate.segment === segment);
  if (!attachment) throw new Error(`${hub} is the switch of segment ${segment} and is not attached to it`);
  return attachment.interface;
}

async function configure(lab: string, machine: Machine): Promise<void> {
  const netns = netnsOf(lab, machine.name);
  const lines: string[] = [];
  for (const attachment of machine.attachments) {
    lines.push(`addr replace ${attachment.address} dev ${attachment.interface}`);
    lines.push(`link set ${attachment.interface} up`);
  }
  if (machine.role === 'host') lines.push(`route add default via ${machine.defaultRoute}`);
  if (machine.role === 'bird' || machine.role === 'frr') {
    for (const address of machine.loopback ?? []) lines.push(`addr add ${address} dev lo`);
    // Agents turn on forwarding themselves.
    await must(lab, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'], { netns });
  }
  await ipBatch(lab, netns, lines);
}
