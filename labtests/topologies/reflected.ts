import type { AgentMachine, BirdMachine, LabPeer, LabTopology, ReflectorMachine } from '../lab/topology.ts';

const AS = 64512;

/** An agent and three BIRDs on one segment, with sessions to the given number of reflectors only. */
export function reflected(reflectors: 1 | 2): LabTopology {
  const names = Array.from({ length: reflectors }, (_, index) => `rr${index + 1}`);
  const peers: LabPeer[] = names.map((name, index) => ({ name, address: `10.0.0.${101 + index}`, as: AS }));
  const wire = (address: string, hub = false) => [
    { segment: 'fabric', interface: hub ? 'fabric' : 'eth0', address: `${address}/24` },
  ];
  const agent: AgentMachine = {
    name: 'n1',
    role: 'agent',
    address: '10.0.0.1',
    as: AS,
    podCIDRs: ['10.244.1.0/26'],
    pods: ['n1-a'],
    peers,
    attachments: wire('10.0.0.1'),
  };
  const birds = [2, 3, 4].map(
    (n): BirdMachine => ({
      name: `b${n}`,
      role: 'bird',
      routerId: `10.0.0.${n}`,
      as: AS,
      attachments: wire(`10.0.0.${n}`),
      peers,
      announce: [`10.244.${n}.0/26`],
      loopback: [`10.244.${n}.1/32`],
    }),
  );
  const machines = peers.map(
    ({ name, address }, index): ReflectorMachine => ({
      name,
      role: 'reflector',
      address,
      as: AS,
      clusterId: '10.0.0.100',
      clientRange: '10.0.0.0/26',
      attachments: wire(address, index === 0),
    }),
  );
  return {
    name: `reflected-${reflectors}`,
    holdTimeSeconds: 9,
    segments: [{ name: 'fabric', switch: 'rr1' }],
    machines: [...machines, agent, ...birds],
  };
}
