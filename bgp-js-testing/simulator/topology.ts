/** Networks for the simulator: nodes, peerings, and the prefixes that each node may originate. */
import { Model, type ModelNode, type ModelPeer } from '../oracle/model.ts';
import type { Random } from './random.ts';

/** A prefix, and the nodes that may originate it. */
export interface PrefixPlan {
  prefix: string;
  origins: string[];
  /** Whether its origins may set a MED: see docs/testing.md on what converges. */
  med: boolean;
}

export interface Topology {
  model: Model;
  prefixes: PrefixPlan[];
}

/** The kinds of networks by name. */
export const TOPOLOGIES: Readonly<Record<string, (random: Random) => Topology>> = {
  mesh,
  reflection,
  fabric,
  mixed,
};

/** Builds a model node by node and session by session. */
class Builder {
  readonly model = new Model();
  private readonly random: Random;
  private readonly holdTime: number;
  private readonly multipath: boolean;
  private readonly restartTime: number;
  private count = 0;

  constructor(random: Random) {
    this.random = random;
    this.holdTime = random.pick([6, 9, 15]);
    this.multipath = random.chance(0.4);
    this.restartTime = random.pick([0, 0, 10, 30]);
  }

  node(as: number, clusterId: string | null = null): ModelNode {
    // Seeded steps between addresses, so that the order of identifiers is not that of creation.
    this.count++;
    let address: string;
    do address = `10.0.0.${1 + this.random.below(250)}`;
    while (this.model.nodes.has(address));
    const node: ModelNode = {
      address,
      as,
      clusterId,
      maximumPaths: this.multipath ? this.random.pick([1, 2, 4]) : 1,
      ranges: this.random.chance(0.3) ? [`10.244.${this.count}.0/24`] : [],
      routes: new Map(),
      peers: new Map(),
      alive: true,
    };
    this.model.nodes.set(address, node);
    return node;
  }

  nodes(count: number, as: () => number): ModelNode[] {
    return Array.from({ length: count }, () => this.node(as()));
  }

  /** Makes two nodes peers; `client`: the second is a client of the first. */
  peer(a: ModelNode, b: ModelNode, client = false): void {
    if (a === b || a.peers.has(b.address)) return;
    const passive = this.random.chance(0.25) ? this.random.pick([a, b]) : null;
    a.peers.set(b.address, this.config(client, passive === a));
    b.peers.set(a.address, this.config(false, passive === b));
  }

  mesh(nodes: readonly ModelNode[]): void {
    for (const a of nodes) for (const b of nodes) this.peer(a, b);
  }

  private config(client: boolean, passive: boolean): ModelPeer {
    const { random, holdTime, restartTime } = this;
    return {
      client,
      exportOwn: random.chance(0.08),
      nextHopSelf: random.chance(0.15),
      acceptDefault: random.chance(0.5),
      passive,
      holdTime,
      maximumPrefixes: 1000,
      restartTime,
      importRules: null,
      exportRules: null,
    };
  }

  /** The network with its prefixes: some of each node, anycast prefixes of several nodes, a default route. */
  finish(): Topology {
    const { random, model } = this;
    const all = [...model.nodes.values()];
    const prefixes: PrefixPlan[] = [];
    all.forEach(({ address }, i) => {
      prefixes.push({ prefix: `10.244.${i + 1}.0/26`, origins: [address], med: true });
      if (random.chance(0.5))
        prefixes.push({ prefix: `10.244.${i + 1}.0/24`, origins: [address], med: true });
    });
    const bases = Array.from({ length: 2 + random.below(4) }, (_, i) => `10.100.${i}.0/24`);
    if (random.chance(0.5)) bases.push('0.0.0.0/0');
    for (const prefix of bases) {
      const origins = random.some(all, 2 + random.below(3));
      const med = origins.every(({ as }) => as === origins[0].as);
      prefixes.push({ prefix, origins: origins.map(({ address }) => address), med });
    }
    return { model, prefixes };
  }
}

/** A full mesh of iBGP. */
function mesh(random: Random): Topology {
  const builder = new Builder(random);
  builder.mesh(builder.nodes(3 + random.below(4), () => 64512));
  return builder.finish();
}

/** One to three reflectors of one or several clusters, in one tier or two, with clients and non-clients. */
function reflection(random: Random): Topology {
  const builder = new Builder(random);
  const shared = random.chance(0.3);
  const reflectors = Array.from({ length: 1 + random.below(3) }, (_, i) =>
    builder.node(64512, `10.255.0.${shared ? 1 : i + 1}`),
  );
  if (random.chance(0.3)) {
    const top = builder.node(64512, '10.255.0.9');
    for (const reflector of reflectors) builder.peer(top, reflector, true);
  } else builder.mesh(reflectors);
  const clients = builder.nodes(2 + random.below(4), () => 64512);
  for (const client of clients) {
    for (const reflector of random.some(reflectors, 1 + random.below(reflectors.length))) {
      builder.peer(reflector, client, true);
    }
  }
  const others = builder.nodes(random.below(3), () => 64512);
  builder.mesh(others);
  for (const other of others) for (const reflector of reflectors) builder.peer(reflector, other);
  if (random.chance(0.3)) builder.peer(clients[0], clients[1]);
  return builder.finish();
}

/** Leaves and spines with eBGP: an AS for each leaf, and one for all spines or for each of them. */
function fabric(random: Random): Topology {
  const builder = new Builder(random);
  const oneAs = random.chance(0.5);
  let spineAs = 65000;
  const spines = builder.nodes(1 + random.below(3), () => (oneAs ? 65000 : spineAs++));
  let leafAs = random.chance(0.5) ? 65100 : 4_200_000_000;
  const leaves = builder.nodes(2 + random.below(4), () => (random.chance(0.1) ? leafAs : ++leafAs));
  for (const leaf of leaves) {
    for (const spine of random.chance(0.8) ? spines : random.some(spines, 1)) builder.peer(spine, leaf);
  }
  return builder.finish();
}

/** Nodes of AS 64512, meshed or with a reflector, at one or two ToR switches; above them a spine with another node. */
function mixed(random: Random): Topology {
  const builder = new Builder(random);
  const nodes = builder.nodes(2 + random.below(3), () => 64512);
  if (random.chance(0.5)) builder.mesh(nodes);
  else {
    const reflector = builder.node(64512, '10.255.0.1');
    for (const node of nodes) builder.peer(reflector, node, true);
  }
  const sameAs = random.chance(0.5);
  const tors = [builder.node(65001)];
  if (random.chance(0.7)) tors.push(builder.node(sameAs ? 65001 : 65002));
  if (tors.length > 1 && sameAs && random.chance(0.5)) builder.peer(tors[0], tors[1]);
  for (const node of nodes) {
    for (const tor of random.some(tors, 1 + random.below(tors.length))) builder.peer(tor, node);
  }
  if (random.chance(0.7)) {
    const spine = builder.node(65100);
    for (const tor of tors) builder.peer(spine, tor);
    builder.peer(spine, builder.node(65200));
  }
  return builder.finish();
}
