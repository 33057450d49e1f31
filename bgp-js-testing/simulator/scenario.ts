/**
 * A scenario from its seed: sets up a network, lets faults strike in a few phases, and compares everything whenever the
 * network has come to rest. At the end it takes everything down and checks that nothing is left.
 */

import { faultsAtRest, leaks, unrest } from '../oracle/invariants.ts';
import { Cluster } from './cluster.ts';
import { announceOne, CHURN_MS, type FaultStage, strike, type Undo } from './faults.ts';
import { Random } from './random.ts';
import { TOPOLOGIES } from './topology.ts';

/** The result of a seed. */
export interface Outcome {
  scenario: string;
  seed: number;
  /** The faults found; empty when there were none. */
  problems: string[];
  trace: string[];
  nodes: number;
  quietPoints: number;
}

/** The kinds of scenarios. */
export const SCENARIOS: readonly string[] = Object.keys(TOPOLOGIES);

const PHASES = 3;
/** How long a network may take to come to rest, in ms: a fault keeps a peer away for up to a minute. */
const REST_LIMIT_MS = 300_000;
/** How often to check whether the network is at rest, in ms. */
const LOOK_MS = 50;

/** Runs a scenario from its seed. Throws RangeError for a kind that does not exist. */
export function runScenario(scenario: string, seed: number): Outcome {
  const random = new Random(seed * 4 + SCENARIOS.indexOf(scenario));
  const make = TOPOLOGIES[scenario];
  if (!make) throw new RangeError(`no scenario ${scenario}; there are ${SCENARIOS.join(', ')}`);
  const topology = make(random);
  const cluster = new Cluster(topology.model, seed);
  const run = new Run({ cluster, topology, random, busy: new Set() });
  try {
    run.whole();
  } catch (error) {
    run.wrong(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const { problems, trace } = cluster;
  return { scenario, seed, problems, trace, nodes: topology.model.nodes.size, quietPoints: run.quietPoints };
}

/** The command that repeats a run with its trace. */
export function replayCommand({ scenario, seed }: Pick<Outcome, 'scenario' | 'seed'>): string {
  return `npm run simulate -- --scenario ${scenario} --from ${seed} --seeds 1 --verbose`;
}

/** A run's problems in a few lines, with the command that repeats it. */
export function report(outcome: Outcome): string {
  const exported = outcome.problems.slice(0, 12);
  const more = outcome.problems.length - exported.length;
  const head = `${outcome.scenario}, seed ${outcome.seed}:`;
  return [
    head,
    ...exported.map((text) => `  ${text}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
    `  replay: ${replayCommand(outcome)}`,
  ].join('\n');
}

class Run {
  quietPoints = 0;
  private readonly stage: FaultStage;

  constructor(stage: FaultStage) {
    this.stage = stage;
  }

  whole(): void {
    const { stage } = this;
    this.describeNetwork();
    for (const plan of stage.topology.prefixes) if (stage.random.chance(0.7)) announceOne(stage, plan);
    if (!this.quiet()) return;
    for (let phase = 1; phase <= PHASES; phase++) {
      stage.cluster.note(`— phase ${phase} —`);
      const lasting = this.phase();
      if (!this.quiet()) return;
      for (const undo of lasting) undo();
    }
    if (this.quiet()) this.tearDown();
  }

  wrong(text: string): void {
    this.stage.cluster.problems.push(text);
    this.stage.cluster.note(`WRONG ${text}`);
  }

  /** Lets faults strike; returns how to undo those that last through the quiet point. */
  private phase(): Undo[] {
    const { cluster, random } = this.stage;
    const lasting: Undo[] = [];
    const length = random.pick([500, 5000, 20_000]);
    const start = cluster.sim.now;
    let end = start + length;
    for (let i = 2 + random.below(5); i > 0; i--) {
      cluster.sim.schedule(start + random.between(0, length), () => {
        const fault = strike(this.stage);
        end = Math.max(end, cluster.sim.now + CHURN_MS);
        if (!fault.undo) return;
        if (fault.lasting && random.chance(0.3)) {
          lasting.push(fault.undo);
          return;
        }
        const over = cluster.sim.now + random.between(10, random.pick([500, 5000, 30_000]));
        end = Math.max(end, over);
        cluster.sim.schedule(over, fault.undo);
      });
    }
    while (cluster.sim.now <= end) cluster.sim.run(1 + end - cluster.sim.now);
    return lasting;
  }

  /** Waits until the network has come to rest and compares; false when a fault was found. */
  private quiet(): boolean {
    const { cluster } = this.stage;
    const limit = cluster.sim.now + REST_LIMIT_MS;
    let why = unrest(cluster);
    while (why !== null && cluster.sim.now < limit) {
      cluster.sim.run(LOOK_MS);
      why = unrest(cluster);
    }
    if (why !== null) this.wrong(`no rest after ${REST_LIMIT_MS / 1000} s: ${why}`);
    else {
      this.quietPoints++;
      cluster.note(`— quiet point ${this.quietPoints} —`);
      for (const text of faultsAtRest(cluster)) this.wrong(text);
    }
    return cluster.problems.length === 0;
  }

  /** Withdraws all routes and ends all sessions. */
  private tearDown(): void {
    const { cluster, random } = this.stage;
    cluster.note('— the end —');
    for (const node of random.some([...cluster.model.nodes.values()], cluster.model.nodes.size)) {
      const sim = cluster.simNode(node.address);
      cluster.cause(node.address, null);
      for (const prefix of [...node.routes.keys()]) cluster.withdraw(node, prefix);
      if (random.chance(0.3)) cluster.sim.run(random.between(0, 100));
      sim.speaker.shutdown('the end', cluster.sim.clock(sim));
    }
    cluster.sim.run(2000);
    for (const text of leaks(cluster)) this.wrong(text);
  }

  private describeNetwork(): void {
    const { cluster, topology } = this.stage;
    for (const { address, as, clusterId, peers, maximumPaths } of topology.model.nodes.values()) {
      const words = [...peers].map(([peer, config]) => {
        const marks = [
          config.client && 'client',
          config.exportOwn && 'own only',
          config.passive && 'passive',
        ];
        marks.push(config.nextHopSelf && 'next-hop-self', config.acceptDefault && 'default');
        marks.push(config.restartTime > 0 && `restart ${config.restartTime} s`);
        const text = marks.filter(Boolean).join(', ');
        return text === '' ? peer : `${peer} (${text})`;
      });
      const role = clusterId === null ? '' : `, reflector of cluster ${clusterId}`;
      cluster.note(`${address} AS ${as}${role}, ${maximumPaths} paths, peers ${words.join('; ')}`);
    }
  }
}
