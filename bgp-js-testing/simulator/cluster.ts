/**
 * Keeps a model and its simulation in step. Each change of the network is applied to both and written to the trace, and
 * the sessions that it may end are noted with the reason, so that any other loss of a session is a fault.
 */
import type { PolicyData, PolicyRule, PolicySet } from 'bgp-js/rib/policy/policy-data.ts';
import type { PeerConfig } from 'bgp-js/session/peer-config.ts';
import type { OriginateOptions, SpeakerEvent } from 'bgp-js/speaker/speaker-types.ts';
import type { Model, ModelNode, ModelPeer, ModelRule } from '../oracle/model.ts';
import { peerConfig, type SimNode, Simulation } from './simulation.ts';

/** Why sessions may go down: all of one node, or the one of a pair. */
export interface Cause {
  a: string;
  b: string | null;
  from: number;
  /** Infinity until it has ended. */
  until: number;
}

/** Sessions may still go down for the hold time and this many ms after the cause has ended. */
const AFTERMATH_MS = 5000;
/** Small logs and slices, so that a few routes reach the limits that otherwise take a full table. */
const SMALL_LIMITS = { slice: 3, logOctets: 600 };

export class Cluster {
  readonly model: Model;
  readonly sim: Simulation;
  readonly trace: string[] = [];
  /** Faults found so far. */
  readonly problems: string[] = [];
  private readonly causes: Cause[] = [];

  constructor(model: Model, seed: number) {
    this.model = model;
    this.sim = new Simulation(seed);
    this.sim.onEvent = (node, event) => this.heard(node, event);
    for (const node of model.nodes.values()) this.start(node);
  }

  note(text: string): void {
    this.trace.push(`${(this.sim.now / 1000).toFixed(3).padStart(9)} s  ${text}`);
  }

  simNode(address: string): SimNode {
    const node = this.sim.nodes.get(address);
    if (!node) throw new Error(`${address} is not running`);
    return node;
  }

  /** Allows the sessions of `a`, or the one with `b`, to go down until the cause ends. */
  cause(a: string, b: string | null): Cause {
    const cause = { a, b, from: this.sim.now, until: Number.POSITIVE_INFINITY };
    this.causes.push(cause);
    return cause;
  }

  endCause(cause: Cause): void {
    cause.until = this.sim.now;
  }

  // --- nodes -------------------------------------------------------------------------------------------------------

  /** Starts the node's speaker with its configuration in the model; `restarted`: it went on forwarding meanwhile. */
  start(node: ModelNode, restarted = false): void {
    const { address, as, clusterId, maximumPaths } = node;
    node.alive = true;
    const { speaker } = this.sim.add(
      { as, maximumPaths, restarted, ...(clusterId !== null && { clusterId }) },
      address,
    );
    Object.assign(speaker.routing.limits, SMALL_LIMITS);
    speaker.setOwnRanges(node.ranges);
    for (const [prefix, options] of node.routes) speaker.originate(prefix, options);
    speaker.setPolicies(policiesOf(node));
    for (const [peer, config] of node.peers) speaker.addPeer(this.configOf(peer, config), this.sim.now);
  }

  kill(node: ModelNode, silent: boolean): void {
    node.alive = false;
    this.sim.kill(this.simNode(node.address), silent);
  }

  setRanges(node: ModelNode, ranges: string[]): void {
    node.ranges = ranges;
    if (node.alive) this.simNode(node.address).speaker.setOwnRanges(ranges);
  }

  setMaximumPaths(node: ModelNode, count: number): void {
    node.maximumPaths = count;
    if (node.alive) this.simNode(node.address).speaker.routing.setMaximumPaths(count);
  }

  // --- routes ------------------------------------------------------------------------------------------------------

  originate(node: ModelNode, prefix: string, options: OriginateOptions): void {
    node.routes.set(prefix, options);
    if (node.alive) this.simNode(node.address).speaker.originate(prefix, options);
  }

  withdraw(node: ModelNode, prefix: string): void {
    node.routes.delete(prefix);
    if (node.alive) this.simNode(node.address).speaker.withdraw(prefix);
  }

  // --- peers and links -----------------------------------------------------------------------------------------------

  removePeer(node: ModelNode, peer: string): void {
    node.peers.delete(peer);
    if (!node.alive) return;
    const sim = this.simNode(node.address);
    sim.speaker.removePeer(peer, this.sim.clock(sim));
  }

  addPeer(node: ModelNode, peer: string, config: ModelPeer): void {
    node.peers.set(peer, config);
    if (!node.alive) return;
    const sim = this.simNode(node.address);
    sim.speaker.setPolicies(policiesOf(node));
    sim.speaker.addPeer(this.configOf(peer, config), this.sim.clock(sim));
  }

  updatePeer(node: ModelNode, peer: string, config: ModelPeer): void {
    node.peers.set(peer, config);
    if (!node.alive) return;
    const sim = this.simNode(node.address);
    // In the order of a reload: no peer is without its policy in between.
    sim.speaker.setPolicies(policiesOf(node), true);
    sim.speaker.updatePeer(this.configOf(peer, config), this.sim.clock(sim));
    sim.speaker.setPolicies(policiesOf(node));
  }

  setCut(a: string, b: string, cut: boolean): void {
    this.model.setCut(a, b, cut);
    if (cut) this.sim.network.cut({ address: a }, { address: b });
    else this.sim.network.heal({ address: a }, { address: b });
  }

  private configOf(address: string, config: ModelPeer): PeerConfig {
    const { exportOwn, importRules, exportRules, ...rest } = config;
    const { as } = this.model.node(address);
    return peerConfig({
      ...rest,
      address,
      as,
      export: exportOwn ? 'own' : 'all',
      // Without policies no routes are exchanged with an eBGP peer (RFC 8212).
      requirePolicy: false,
      ...(importRules && { importPolicy: policyName('import', address) }),
      ...(exportRules && { exportPolicy: policyName('export', address) }),
    });
  }

  // --- events of the speakers ----------------------------------------------------------------------------------------

  private heard(node: SimNode, event: SpeakerEvent): void {
    const { type, ...rest } = event;
    if (type === 'state') {
      const { peer, from, to, reason } = event;
      this.note(`${node.address}  ${peer}: ${from} → ${to} (${reason})`);
    } else {
      const words = Object.entries(rest).map(([key, value]) => `${key} ${value}`);
      this.note(`${node.address}  ${type} ${words.join(', ')}`);
    }
    if (type === 'defect') this.problem(`${node.address}: defect in what ${event.peer} sent: ${event.text}`);
    if (type === 'down' && !this.hasCause(node.address, event.peer)) {
      this.problem(
        `${node.address}: the session with ${event.peer} went down without a cause: ${event.reason}`,
      );
    }
  }

  private problem(text: string): void {
    this.problems.push(text);
    this.note(`WRONG ${text}`);
  }

  private hasCause(a: string, b: string): boolean {
    const { now } = this.sim;
    const holdMs = 1000 * Math.max(this.model.node(a).peers.get(b)?.holdTime ?? 0, 15);
    return this.causes.some((cause) => {
      if (now < cause.from || now > cause.until + holdMs + AFTERMATH_MS) return false;
      if (cause.b === null) return cause.a === a || cause.a === b;
      return (cause.a === a && cause.b === b) || (cause.a === b && cause.b === a);
    });
  }
}

// --- policies --------------------------------------------------------------------------------------------------------

const policyName = (direction: 'import' | 'export', peer: string): string => `${direction} ${peer}`;

/** All policies of a node for its peers. */
function policiesOf(node: ModelNode): PolicySet {
  const policies: Record<string, PolicyData> = {};
  for (const [peer, { importRules, exportRules }] of node.peers) {
    if (importRules) policies[policyName('import', peer)] = policyOf(importRules);
    if (exportRules) policies[policyName('export', peer)] = policyOf(exportRules);
  }
  return { policies };
}

const policyOf = (rules: readonly ModelRule[]): PolicyData => ({
  rules: rules.map((rule, i) => ruleOf(rule, `rule ${i + 1}`)),
  otherwise: 'accept',
});

function ruleOf(rule: ModelRule, name: string): PolicyRule {
  const { within, community, neighbourAs, action, addCommunity, prepend } = rule;
  return {
    name,
    match: {
      ...(within !== null && { prefixes: [`${within} le 32`] }),
      ...(community !== null && { communities: { any: [communityText(community)] } }),
      ...(neighbourAs !== null && { neighbourAs: [neighbourAs] }),
    },
    ...(action !== 'reject' && {
      set: {
        ...(addCommunity !== null && { communities: { add: [communityText(addCommunity)] } }),
        ...(prepend > 0 && { prepend: { times: prepend } }),
      },
    }),
    action,
  };
}

const communityText = (community: number): string => `${community >>> 16}:${community & 0xffff}`;
