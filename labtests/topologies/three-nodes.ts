import type { AgentMachine, LabTopology } from '../lab/topology.ts';

const nodes = [1, 2, 3];
const nodeAddress = (n: number) => `10.0.0.${n}`;

/**
 * The lab of `npm start`: nodes n1–n3 (AS 64512, full mesh) on 10.0.0.0/24 with two pods each, the ToR switch `tor`
 * (BIRD, AS 65001) with a session to each node, and `outside`, a plain host behind the switch.
 */
export const threeNodes: LabTopology = {
  name: 'three-nodes',
  holdTimeSeconds: 9,
  segments: [
    { name: 'fabric', switch: 'tor' },
    { name: 'servers', switch: 'tor' },
  ],
  machines: [
    {
      name: 'tor',
      role: 'bird',
      routerId: '10.0.0.254',
      as: 65001,
      attachments: [
        { segment: 'fabric', interface: 'fabric', address: '10.0.0.254/24' },
        { segment: 'servers', interface: 'servers', address: '172.20.0.1/24' },
      ],
      peers: nodes.map((n) => ({ name: `n${n}`, address: nodeAddress(n), as: 64512 })),
      announce: ['172.20.0.0/24'],
    },
    ...nodes.map(
      (n): AgentMachine => ({
        name: `n${n}`,
        role: 'agent',
        address: nodeAddress(n),
        as: 64512,
        attachments: [{ segment: 'fabric', interface: 'eth0', address: `${nodeAddress(n)}/24` }],
        podCIDRs: [`10.244.${n}.0/26`],
        peers: [
          ...nodes.filter((m) => m !== n).map((m) => ({ name: `n${m}`, address: nodeAddress(m), as: 64512 })),
          { name: 'tor', address: '10.0.0.254', as: 65001 },
        ],
        pods: [`n${n}-a`, `n${n}-b`],
      }),
    ),
    {
      name: 'outside',
      role: 'host',
      attachments: [{ segment: 'servers', interface: 'eth0', address: '172.20.0.2/24' }],
      defaultRoute: '172.20.0.1',
    },
  ],
};

/** The same with FRR as the ToR switch. */
export const threeNodesFrr: LabTopology = {
  ...threeNodes,
  name: 'three-nodes-frr',
  machines: threeNodes.machines.map((machine) =>
    machine.role === 'bird' ? { ...machine, role: 'frr' } : machine,
  ),
};
