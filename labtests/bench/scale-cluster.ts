/** A cluster of thousands of nodes behind a few reflectors: its cold start, and failures of parts of it. */
import { peerStatuses, routeCounts } from 'bgp-js';
import { RouteListener } from './listener.ts';
import { RouteSpace } from './routes.ts';
import {
  type Effort,
  join,
  nodeAddress,
  reflectorAddress,
  ScaleReflector,
  settle,
} from './scale-reflector.ts';

export interface ClusterSize {
  nodes: number;
  /** Host routes of each node, in addition to its block. */
  hosts: number;
  reflectors: number;
  /** Whether all reflectors share one cluster id. */
  oneCluster: boolean;
}

/** The cost of a step for the busiest reflector and for a node, and the number of wrong routes after it. */
export interface ScaleStep {
  reflector: Effort;
  nodeCpuMs: number;
  wrong: number;
}

/** The node that is a complete speaker, and the first light node, whose received routes are checked. */
const COMPLETE_NODE = 0;
const FIRST_LIGHT_NODE = 1;

export class ScaleCluster {
  readonly size: ClusterSize;
  reflectors: ScaleReflector[];
  /** A complete node: sessions with every reflector, all paths, decisions. */
  readonly node: ScaleReflector;
  private readonly blocks: RouteSpace;
  private readonly hosts: RouteSpace;
  private readonly expected: { blocks: Uint32Array; hosts: Uint32Array };
  private listeners: { blocks: RouteListener; hosts: RouteListener }[];
  /** By reflector: the connections of the light nodes, and both ends of the connection with the complete node. */
  private readonly connections: number[][] = [];
  private readonly nodeSessions: [atReflector: number, atNode: number][] = [];
  private readonly reflectorSessions: { a: ScaleReflector; b: ScaleReflector; ids: [number, number] }[] = [];

  constructor(size: ClusterSize) {
    const { nodes, hosts, reflectors, oneCluster } = size;
    this.size = size;
    this.blocks = new RouteSpace(nodes, 26);
    this.hosts = new RouteSpace(nodes * hosts, 32);
    this.expected = { blocks: new Uint32Array(nodes), hosts: new Uint32Array(nodes * hosts) };
    this.reflectors = Array.from(
      { length: reflectors },
      (_, index) =>
        new ScaleReflector(reflectorAddress(index), oneCluster ? '1.1.1.1' : reflectorAddress(index)),
    );
    for (const reflector of this.reflectors) reflector.addNodes(nodes, { client: true });
    this.listeners = this.reflectors.map(() => ({
      blocks: new RouteListener(this.blocks),
      hosts: new RouteListener(this.hosts),
    }));
    this.node = new ScaleReflector(nodeAddress(COMPLETE_NODE), nodeAddress(COMPLETE_NODE));
    for (let index = 0; index < reflectors; index++) this.node.addPeer({ address: reflectorAddress(index) });
  }

  /** Starts everything at the same time. */
  coldStart(): ScaleStep {
    for (const [index, reflector] of this.reflectors.entries()) {
      for (const other of this.reflectors.slice(0, index)) {
        other.addPeer({ address: reflector.address });
        reflector.addPeer({ address: other.address });
        this.reflectorSessions.push({ a: other, b: reflector, ids: join(other, reflector) });
      }
      this.nodeSessions.push(join(reflector, this.node));
      this.connections.push([]);
      for (let node = FIRST_LIGHT_NODE; node < this.size.nodes; node++) {
        const listen = node === FIRST_LIGHT_NODE ? this.listen(index) : undefined;
        this.connections[index].push(reflector.addClient(node, this.updatesOf(node), listen));
      }
    }
    for (let node = FIRST_LIGHT_NODE; node < this.size.nodes; node++) this.setExpected(node, true);
    return this.step();
  }

  /** Kills the last reflector: every connection with it breaks. */
  loseReflector(): ScaleStep {
    const index = this.reflectors.length - 1;
    const [dead] = this.reflectors.splice(index, 1);
    this.listeners.splice(index, 1);
    this.node.disconnect([this.nodeSessions[index][1]]);
    for (const { a, b, ids } of this.reflectorSessions) {
      if (b === dead) a.disconnect([ids[0]]);
    }
    return this.step();
  }

  /** Removes the last `count` nodes: their hold timers expire. */
  loseNodes(count: number): ScaleStep {
    for (const [index, reflector] of this.reflectors.entries()) {
      reflector.disconnect(this.connections[index].slice(-count));
    }
    for (let node = this.size.nodes - count; node < this.size.nodes; node++) this.setExpected(node, false);
    return this.step();
  }

  /** Every node sends a KEEPALIVE. */
  keepalives(): ScaleStep {
    for (const [index, reflector] of this.reflectors.entries()) reflector.keepalives(this.connections[index]);
    return this.step();
  }

  /** Paths in the RIB of the busiest reflector and of the node. */
  paths(): { reflector: number; node: number } {
    const counts = this.reflectors.map(({ speaker }) => routeCounts(speaker).paths);
    return { reflector: Math.max(...counts), node: routeCounts(this.node.speaker).paths };
  }

  /** A listener with two tables, for blocks and for host routes. */
  private listen(reflector: number): RouteListener {
    const { blocks, hosts } = this.listeners[reflector];
    // Both tables read all UPDATEs, and each counts the other's prefixes as foreign.
    const both = new RouteListener(new RouteSpace(1, 8));
    both.take = (bytes: Uint8Array) => {
      blocks.take(bytes.slice());
      hosts.take(bytes);
    };
    return both;
  }

  private updatesOf(node: number): Uint8Array {
    const nextHop = nodeAddress(node);
    const { hosts } = this.size;
    return Buffer.concat([
      this.blocks.announce({ from: node, to: node + 1, version: node + 1, nextHop }),
      this.hosts.announce({ from: node * hosts, to: (node + 1) * hosts, version: node + 1, nextHop }),
    ]);
  }

  private setExpected(node: number, isUp: boolean): void {
    const { hosts } = this.size;
    this.expected.blocks[node] = isUp ? node + 1 : 0;
    this.expected.hosts.fill(isUp ? node + 1 : 0, node * hosts, (node + 1) * hosts);
  }

  private step(): ScaleStep {
    settle([...this.reflectors, this.node]);
    const efforts = this.reflectors.map((reflector) => reflector.takeEffort());
    const busiest = efforts.reduce((most, effort) => (effort.cpuMs > most.cpuMs ? effort : most));
    return { reflector: busiest, nodeCpuMs: this.node.takeEffort().cpuMs, wrong: this.countWrongRoutes() };
  }

  private countWrongRoutes(): number {
    const { hosts } = this.size;
    let sum = 0;
    for (const listener of this.listeners) {
      sum += listener.blocks.differences(this.expected.blocks, FIRST_LIGHT_NODE, FIRST_LIGHT_NODE + 1);
      sum += listener.hosts.differences(
        this.expected.hosts,
        FIRST_LIGHT_NODE * hosts,
        (FIRST_LIGHT_NODE + 1) * hosts,
      );
    }
    const wanted = this.expected.blocks.filter((version) => version > 0).length * (1 + hosts);
    const { prefixes } = routeCounts(this.node.speaker);
    const sessions = peerStatuses(this.node.speaker, 0).filter(({ state }) => state === 'Established').length;
    return sum + Math.abs(prefixes - wanted) + Math.abs(sessions - this.reflectors.length);
  }
}
