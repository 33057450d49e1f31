import type { BirdMachine, LabTopology } from '../lab/topology.ts';

const routers = [1, 2, 3];

/** Three BIRD routers in a full eBGP mesh on one segment, each announcing a range of its own: no agent, no pods. */
export const threeRouters: LabTopology = {
  name: 'three-routers',
  holdTimeSeconds: 9,
  segments: [{ name: 'fabric', switch: 'r1' }],
  machines: routers.map(
    (n): BirdMachine => ({
      name: `r${n}`,
      role: 'bird',
      routerId: `10.0.0.${n}`,
      as: 65000 + n,
      attachments: [{ segment: 'fabric', interface: n === 1 ? 'fabric' : 'eth0', address: `10.0.0.${n}/24` }],
      peers: routers
        .filter((m) => m !== n)
        .map((m) => ({ name: `r${m}`, address: `10.0.0.${m}`, as: 65000 + m })),
      announce: [`10.244.${n}.0/26`],
      loopback: [`10.244.${n}.1/32`],
    }),
  ),
};
