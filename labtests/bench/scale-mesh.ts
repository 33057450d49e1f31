/** One node of a full mesh: sessions with all others, each of which advertises only its own routes. */
import { peerStatuses, routeCounts } from 'bgp-js';
import { IPAddress, IPPrefix } from 'bgp-js/ip';
import { RouteSpace } from './routes.ts';
import { nodeAddress, ScaleReflector, settle } from './scale-reflector.ts';

export interface MeshNode {
  /** The number of other nodes. */
  sessions: number;
  cpuMs: number;
  octets: number;
  /** The cost of a KEEPALIVE from every other node. */
  keepaliveMs: number;
  wrong: number;
}

/** A node among `nodes`, each with a block and a number of host routes. */
export function meshNode(nodes: number, hosts: number): MeshNode {
  const space = new RouteSpace(nodes * (hosts + 1), 32);
  const says = (node: number) =>
    space.announce({
      from: node * (hosts + 1),
      to: (node + 1) * (hosts + 1),
      version: node + 1,
      nextHop: nodeAddress(node),
    });
  const self = new ScaleReflector(nodeAddress(0), nodeAddress(0));
  self.addNodes(nodes, { client: false, export: 'own' });
  for (let index = 0; index <= hosts; index++) {
    self.speaker.originate(IPPrefix.host(IPAddress.v4(space.address(index))).toString());
  }
  const ids: number[] = [];
  for (let node = 1; node < nodes; node++) ids.push(self.addClient(node, says(node)));
  settle([self]);
  const { cpuMs, octets } = self.takeEffort();
  self.keepalives(ids);
  settle([self]);
  const keepaliveMs = self.takeEffort().cpuMs;
  const up = peerStatuses(self.speaker, 0).filter(({ state }) => state === 'Established').length;
  const wrong = Math.abs(routeCounts(self.speaker).prefixes - space.count) + Math.abs(up - ids.length);
  return { sessions: nodes - 1, cpuMs, octets, keepaliveMs, wrong };
}
