import type { LabTopology } from '../lab/topology.ts';

/** One node with a range of 253 addresses for pods, beside a BIRD router as its ToR switch; no pods at the start. */
export const oneNode: LabTopology = {
  name: 'one-node',
  holdTimeSeconds: 9,
  segments: [{ name: 'fabric', switch: 'tor' }],
  machines: [
    {
      name: 'tor',
      role: 'bird',
      routerId: '10.0.0.254',
      as: 65001,
      attachments: [{ segment: 'fabric', interface: 'fabric', address: '10.0.0.254/24' }],
      peers: [{ name: 'n1', address: '10.0.0.1', as: 64512 }],
      announce: [],
    },
    {
      name: 'n1',
      role: 'agent',
      address: '10.0.0.1',
      as: 64512,
      attachments: [{ segment: 'fabric', interface: 'eth0', address: '10.0.0.1/24' }],
      podCIDRs: ['10.244.1.0/24'],
      peers: [{ name: 'tor', address: '10.0.0.254', as: 65001 }],
      pods: [],
      // Released addresses are free again after a second, so that tests need not wait.
      moreConfig: 'pods: { quarantine: 1 }\n',
    },
  ],
};
