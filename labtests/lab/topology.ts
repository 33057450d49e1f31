/** A lab as data: machines, the links between them, and what runs on each. */

/** A layer-2 segment: a bridge in the machine that is its switch, to which every other machine has a veth. */
interface LabSegment {
  name: string;
  /** The machine with the bridge; its address on the segment is the bridge's. */
  switch: string;
}

/** A machine's interface on a segment. */
interface Attachment {
  segment: string;
  /** Name of the interface inside the machine; on the switch, the bridge's name. At most 15 octets (IFNAMSIZ). */
  interface: string;
  /** IPv4 address with prefix length. */
  address: string;
}

/** A peer in an agent's or BIRD's configuration. */
export interface LabPeer {
  name: string;
  address: string;
  as: number;
}

interface MachineBase {
  name: string;
  attachments: Attachment[];
}

/** A Kubernetes-style node: the Flatroute agent, and pods. */
export interface AgentMachine extends MachineBase {
  role: 'agent';
  address: string;
  as: number;
  podCIDRs: string[];
  peers: LabPeer[];
  /** Names of the pods that exist from the start. */
  pods: string[];
  /** Further lines of agent.yaml. */
  moreConfig?: string;
}

/** A router of foreign software: BIRD 2, or FRR's zebra and bgpd. */
export interface RouterMachine extends MachineBase {
  role: 'bird' | 'frr';
  routerId: string;
  as: number;
  peers: LabPeer[];
  /** Prefixes advertised to every peer: those of its interfaces, and blackholes for all others. */
  announce: string[];
  /** Addresses on the loopback, with prefix length. */
  loopback?: string[];
}

export interface BirdMachine extends RouterMachine {
  role: 'bird';
}

/** It advertises only prefixes of its interfaces. */
export interface FrrMachine extends RouterMachine {
  role: 'frr';
}

/** A route reflector: the Flatroute reflector on a machine of its own. */
export interface ReflectorMachine extends MachineBase {
  role: 'reflector';
  address: string;
  as: number;
  /** By default its address: a cluster of its own. */
  clusterId?: string;
  /** Where clients come from, `ADDRESS/LENGTH`. */
  clientRange: string;
  /** Further keys of these clients, in YAML: `maximumPeers: 2`. */
  clientKeys?: string;
  /** Further entries of `clients`, in YAML. */
  otherClients?: string[];
  /** Further lines of reflector.yaml. */
  moreConfig?: string;
}

/** A plain machine that speaks no BGP: a virtual machine, a database server. */
interface HostMachine extends MachineBase {
  role: 'host';
  defaultRoute: string;
}

export type Machine = AgentMachine | BirdMachine | FrrMachine | ReflectorMachine | HostMachine;

export interface LabTopology {
  name: string;
  segments: LabSegment[];
  machines: Machine[];
  /** Hold time of every BGP session, in seconds. */
  holdTimeSeconds: number;
}

/** The address of a machine's first attachment, without the prefix length. */
export function machineAddress(machine: Machine): string {
  return machine.attachments[0].address.split('/')[0];
}
