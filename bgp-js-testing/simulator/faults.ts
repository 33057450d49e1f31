/** The faults of a scenario. Each kind strikes at once, and returns how to undo it when that is necessary. */

import { type ModelNode, type ModelPeer, pairKey } from '../oracle/model.ts';
import { randomRules } from '../oracle/rules.ts';
import type { Cluster } from './cluster.ts';
import type { Random } from './random.ts';
import type { PrefixPlan, Topology } from './topology.ts';

/** How long a churn lasts. */
export const CHURN_MS = 300;

/** What a fault works on. */
export interface FaultStage {
  cluster: Cluster;
  topology: Topology;
  random: Random;
  /** Nodes and pairs with a fault under way; no other fault strikes them until it is undone. */
  busy: Set<string>;
}

/** Undoes a fault. */
export type Undo = () => void;

interface FaultKind {
  weight: number;
  /** The network cannot come to rest under it, so it is undone before the next quiet point. */
  brief?: true;
  /** Null when there was nothing to do or there is nothing to undo. */
  strike(stage: FaultStage): Undo | null;
}

/** All kinds by name. */
const FAULTS: Readonly<Record<string, FaultKind>> = {
  announce: { weight: 8, strike: announce },
  withdraw: { weight: 4, strike: withdraw },
  churn: { weight: 3, strike: churn },
  cut: { weight: 4, strike: cut },
  partition: { weight: 1, strike: partition },
  restart: { weight: 3, strike: restart },
  'power off': { weight: 2, strike: powerOff },
  'peer removed': { weight: 2, strike: peerRemoved },
  'peer changed': { weight: 4, strike: peerChanged },
  'policy changed': { weight: 5, strike: policyChanged },
  'client toggled': { weight: 1, strike: clientToggled },
  squeeze: { weight: 1, brief: true, strike: squeeze },
  'clock jump': { weight: 2, strike: clockJump },
  stall: { weight: 3, strike: stall },
  'slow link': { weight: 3, strike: slowLink },
  'ranges changed': { weight: 1, strike: rangesChanged },
  'maximum paths': { weight: 1, strike: maximumPaths },
};

const KINDS = Object.values(FAULTS).flatMap((kind) => Array.from({ length: kind.weight }, () => kind));

/** Strikes once, with a kind chosen by weight. `lasting`: the fault may stay through a quiet point. */
export function strike(stage: FaultStage): { undo: Undo | null; lasting: boolean } {
  const kind = stage.random.pick(KINDS);
  return { undo: kind.strike(stage), lasting: !kind.brief };
}

const living = ({ topology }: FaultStage): ModelNode[] =>
  [...topology.model.nodes.values()].filter(({ alive }) => alive);

/** A session without a fault under way. */
function anySession(stage: FaultStage): [ModelNode, ModelNode] | null {
  const pairs: [ModelNode, ModelNode][] = [];
  for (const a of stage.topology.model.nodes.values()) {
    for (const b of a.peers.keys()) {
      if (!stage.busy.has(pairKey(a.address, b))) pairs.push([a, stage.topology.model.node(b)]);
    }
  }
  return pairs.length === 0 ? null : stage.random.pick(pairs);
}

/** Marks keys as busy; the result runs `undo` and clears the marks. */
function occupy(stage: FaultStage, key: string, undo: Undo): Undo {
  stage.busy.add(key);
  return () => {
    stage.busy.delete(key);
    undo();
  };
}

// --- routes ----------------------------------------------------------------------------------------------------------

/** Originates or changes a route of a plan at one of its origins. */
export function announceOne({ cluster, topology, random }: FaultStage, plan: PrefixPlan): void {
  const origin = topology.model.node(random.pick(plan.origins));
  const options = {
    ...(plan.med && random.chance(0.4) && { med: random.below(4) }),
    ...(random.chance(0.2) && { localPref: random.pick([100, 150, 200]) }),
    ...(random.chance(0.15) && { communities: [random.pick([0xffffff01, 0xffffff02, 65536 + 7])] }),
  };
  cluster.note(`${origin.address} originates ${plan.prefix} ${JSON.stringify(options)}`);
  cluster.originate(origin, plan.prefix, options);
}

function announce(stage: FaultStage): null {
  announceOne(stage, stage.random.pick(stage.topology.prefixes));
  return null;
}

function withdraw({ cluster, topology, random }: FaultStage): null {
  const node = random.pick([...topology.model.nodes.values()]);
  if (node.routes.size === 0) return null;
  const prefix = random.pick([...node.routes.keys()]);
  cluster.note(`${node.address} withdraws ${prefix}`);
  cluster.withdraw(node, prefix);
  return null;
}

/** Many changes in a short time. */
function churn(stage: FaultStage): null {
  const { random, cluster } = stage;
  const from = cluster.sim.now;
  for (let i = 0; i < 30; i++) {
    cluster.sim.schedule(from + random.below(CHURN_MS), () => {
      if (random.chance(0.6)) announce(stage);
      else withdraw(stage);
    });
  }
  return null;
}

// --- links and nodes -------------------------------------------------------------------------------------------------

function cut(stage: FaultStage): Undo | null {
  const session = anySession(stage);
  return session && cutAll(stage, [session]);
}

function cutAll(stage: FaultStage, pairs: readonly (readonly [ModelNode, ModelNode])[]): Undo {
  const { cluster, busy } = stage;
  const cuts = pairs
    .map(([a, b]) => [a.address, b.address] as const)
    .filter(([a, b]) => !cluster.model.isCut(a, b) && !busy.has(pairKey(a, b)));
  cluster.note(`cut ${cuts.map((pair) => pair.join('–')).join(', ')}`);
  const causes = cuts.map(([a, b]) => {
    cluster.setCut(a, b, true);
    busy.add(pairKey(a, b));
    return cluster.cause(a, b);
  });
  return () => {
    cluster.note(`healed ${cuts.map((pair) => pair.join('–')).join(', ')}`);
    for (const [a, b] of cuts) {
      cluster.setCut(a, b, false);
      busy.delete(pairKey(a, b));
    }
    for (const cause of causes) cluster.endCause(cause);
  };
}

function partition(stage: FaultStage): Undo {
  const nodes = [...stage.topology.model.nodes.values()];
  const side = new Set(stage.random.some(nodes, 1 + stage.random.below(nodes.length - 1)));
  const across: [ModelNode, ModelNode][] = [];
  for (const a of side) for (const b of nodes) if (!side.has(b)) across.push([a, b]);
  return cutAll(stage, across);
}

function restart(stage: FaultStage): Undo | null {
  return stop(stage, false);
}

function powerOff(stage: FaultStage): Undo | null {
  return stop(stage, true);
}

function stop(stage: FaultStage, silent: boolean): Undo | null {
  const { cluster, random, busy } = stage;
  const candidates = living(stage).filter(({ address }) => !busy.has(address));
  if (candidates.length < 2) return null;
  const node = random.pick(candidates);
  cluster.note(`${node.address} ${silent ? 'loses power' : 'is killed'}`);
  cluster.kill(node, silent);
  const cause = cluster.cause(node.address, null);
  return occupy(stage, node.address, () => {
    cluster.note(`${node.address} starts again`);
    cluster.start(node, !silent);
    cluster.endCause(cause);
  });
}

function clockJump(stage: FaultStage): null {
  const { cluster, random } = stage;
  const [node] = random.some(living(stage), 1);
  if (!node) return null;
  const step = random.pick([2000, 5000, 20_000, 300_000]);
  cluster.note(`the clock of ${node.address} jumps ${step} ms ahead`);
  cluster.endCause(cluster.cause(node.address, null));
  cluster.sim.jumpClock(cluster.simNode(node.address), step);
  return null;
}

/** Stops delivery for less than the hold time. */
function stall(stage: FaultStage): null {
  const session = anySession(stage);
  if (!session) return null;
  const [a, b] = session;
  const holdMs = 1000 * (a.peers.get(b.address)?.holdTime ?? 0);
  const duration = stage.random.between(0.1, 0.3) * holdMs;
  // One at a time, and not one after the other: together they could exceed the hold time.
  const key = `stall ${pairKey(a.address, b.address)}`;
  if (stage.busy.has(key)) return null;
  stage.busy.add(key);
  stage.cluster.sim.schedule(stage.cluster.sim.now + 2 * holdMs, () => stage.busy.delete(key));
  stage.cluster.note(`${a.address}–${b.address} stalls for ${duration.toFixed(0)} ms`);
  stage.cluster.sim.network.stall(a, b, duration);
  return null;
}

function slowLink(stage: FaultStage): Undo | null {
  const session = anySession(stage);
  if (!session) return null;
  const [a, b] = session;
  const quality = { rate: stage.random.pick([300, 1000]), window: stage.random.pick([1, 200]) };
  const { network } = stage.cluster.sim;
  stage.cluster.note(`${a.address}–${b.address} is slow: ${quality.rate} octets/s, window ${quality.window}`);
  network.setQuality(a, b, quality);
  return () => network.setQuality(a, b, { rate: Number.POSITIVE_INFINITY, window: 65536 });
}

// --- configuration ---------------------------------------------------------------------------------------------------

function peerRemoved(stage: FaultStage): Undo | null {
  const session = anySession(stage);
  if (!session) return null;
  const { cluster, random } = stage;
  const [a, b] = session;
  const [mine, theirs] = [a.peers.get(b.address), b.peers.get(a.address)];
  const both = random.chance(0.5);
  cluster.note(`${a.address} ${both ? 'and' : 'removes'} ${b.address}${both ? ' remove each other' : ''}`);
  const cause = cluster.cause(a.address, b.address);
  cluster.removePeer(a, b.address);
  if (both) cluster.removePeer(b, a.address);
  return occupy(stage, pairKey(a.address, b.address), () => {
    cluster.note(`${a.address} and ${b.address} are peers again`);
    if (mine) cluster.addPeer(a, b.address, mine);
    if (both && theirs) cluster.addPeer(b, a.address, theirs);
    cluster.endCause(cause);
  });
}

/** Changes that must not reset a session. */
function peerChanged(stage: FaultStage): null {
  const session = anySession(stage);
  if (!session) return null;
  const [a, b] = session;
  const old = a.peers.get(b.address);
  if (!old) return null;
  const changes: ((peer: ModelPeer) => Partial<ModelPeer>)[] = [
    ({ exportOwn }) => ({ exportOwn: !exportOwn }),
    ({ nextHopSelf }) => ({ nextHopSelf: !nextHopSelf }),
    ({ acceptDefault }) => ({ acceptDefault: !acceptDefault }),
  ];
  const change = stage.random.pick(changes)(old);
  stage.cluster.note(`${a.address} changes its peer ${b.address}: ${JSON.stringify(change)}`);
  stage.cluster.updatePeer(a, b.address, { ...old, ...change });
  return null;
}

/** Changes or removes a policy, which must not reset a session. */
function policyChanged(stage: FaultStage): null {
  const session = anySession(stage);
  if (!session) return null;
  const { cluster, random } = stage;
  const [a, b] = session;
  const old = a.peers.get(b.address);
  if (!old) return null;
  const exporting = random.chance(0.5);
  const rules = newRules(stage, exporting && a.as !== b.as);
  cluster.note(
    `${a.address} has another ${exporting ? 'export' : 'import'} policy for ${b.address}: ${JSON.stringify(rules)}`,
  );
  cluster.updatePeer(a, b.address, {
    ...old,
    ...(exporting ? { exportRules: rules } : { importRules: rules }),
  });
  return null;
}

function newRules({ random, topology }: FaultStage, mayPrepend: boolean): ReturnType<typeof randomRules> {
  const ases = [...new Set([...topology.model.nodes.values()].map(({ as }) => as))];
  return randomRules(random, { prefixes: topology.prefixes, ases, mayPrepend });
}

/** Changes the role, which resets the session. */
function clientToggled(stage: FaultStage): null {
  const session = anySession(stage);
  if (!session) return null;
  const [a, b] = session[0].clusterId === null ? [session[1], session[0]] : session;
  const old = a.peers.get(b.address);
  if (!old || a.clusterId === null || a.as !== b.as) return null;
  stage.cluster.note(`${a.address} makes ${b.address} ${old.client ? 'a non-client' : 'a client'}`);
  stage.cluster.endCause(stage.cluster.cause(a.address, b.address));
  stage.cluster.updatePeer(a, b.address, { ...old, client: !old.client });
  return null;
}

/** Sets a maximum of prefixes that is too low. */
function squeeze(stage: FaultStage): Undo | null {
  const session = anySession(stage);
  if (!session) return null;
  const { cluster } = stage;
  const [a, b] = session;
  const old = a.peers.get(b.address);
  if (!old) return null;
  cluster.note(`${a.address} takes no prefix from ${b.address}`);
  const cause = cluster.cause(a.address, b.address);
  cluster.updatePeer(a, b.address, { ...old, maximumPrefixes: 0 });
  return occupy(stage, pairKey(a.address, b.address), () => {
    const now = a.peers.get(b.address);
    cluster.note(`${a.address} takes prefixes from ${b.address} again`);
    if (now) cluster.updatePeer(a, b.address, { ...now, maximumPrefixes: 1000 });
    cluster.endCause(cause);
  });
}

function rangesChanged({ cluster, topology, random }: FaultStage): null {
  const node = random.pick([...topology.model.nodes.values()]);
  const ranges = random.chance(0.3) ? [] : [`10.${random.pick([100, 244])}.${random.below(6)}.0/24`];
  cluster.note(`${node.address} has ranges of its own: ${ranges.join(' ') || 'none'}`);
  cluster.setRanges(node, ranges);
  return null;
}

function maximumPaths({ cluster, topology, random }: FaultStage): null {
  const node = random.pick([...topology.model.nodes.values()]);
  const count = random.pick([1, 2, 3, 8]);
  cluster.note(`${node.address} uses up to ${count} paths`);
  cluster.setMaximumPaths(node, count);
  return null;
}
