/**
 * The description of a scenario's network: nodes, peers and originated prefixes. The simulation follows it, and the
 * oracle computes from it alone what every RIB must hold.
 */
import type { OriginateOptions } from 'bgp-js/speaker/speaker-types.ts';

/**
 * A rule of a policy, in the few terms that leave a network with one stable state (docs/testing.md). It applies when
 * all its conditions that are not null match.
 */
export interface ModelRule {
  /** The prefix is this one or a more specific one. */
  within: string | null;
  community: number | null;
  /** The first AS of the path. */
  neighbourAs: number | null;
  action: 'accept' | 'reject' | 'next';
  addCommunity: number | null;
  /** How often the node's own AS is prepended; only for export over eBGP. */
  prepend: number;
}

/** A node's configuration of one peer. */
export interface ModelPeer {
  client: boolean;
  exportOwn: boolean;
  nextHopSelf: boolean;
  acceptDefault: boolean;
  passive: boolean;
  /** Seconds. */
  holdTime: number;
  maximumPrefixes: number;
  /** The restart time that the node advertises, in seconds; 0: it is a helper only (RFC 4724). */
  restartTime: number;
  /** The rules of the policies; a route that no rule decides is accepted. Null: no policy. */
  importRules: readonly ModelRule[] | null;
  exportRules: readonly ModelRule[] | null;
}

/** The configuration of a speaker. */
export interface ModelNode {
  /** Also its BGP identifier. */
  address: string;
  as: number;
  /** Not null: it is a route reflector. */
  clusterId: string | null;
  maximumPaths: number;
  /** Ranges that only it may advertise. */
  ranges: string[];
  /** What it originates, by prefix. */
  routes: Map<string, OriginateOptions>;
  /** Its peers by their address. */
  peers: Map<string, ModelPeer>;
  alive: boolean;
}

export class Model {
  readonly nodes = new Map<string, ModelNode>();
  private readonly cuts = new Set<string>();

  node(address: string): ModelNode {
    const node = this.nodes.get(address);
    if (!node) throw new Error(`the model has no node ${address}`);
    return node;
  }

  setCut(a: string, b: string, cut: boolean): void {
    if (cut) this.cuts.add(pairKey(a, b));
    else this.cuts.delete(pairKey(a, b));
  }

  isCut(a: string, b: string): boolean {
    return this.cuts.has(pairKey(a, b));
  }

  /** Whether the two have a session once the network is at rest. */
  connected(a: ModelNode, b: ModelNode): boolean {
    if (!a.alive || !b.alive || this.isCut(a.address, b.address)) return false;
    return a.peers.has(b.address) && b.peers.has(a.address);
  }

  /** The nodes with which a node has a session once the network is at rest. */
  *neighbours(of: ModelNode): Iterable<ModelNode> {
    for (const address of of.peers.keys()) {
      const other = this.nodes.get(address);
      if (other && this.connected(of, other)) yield other;
    }
  }
}

export function pairKey(a: string, b: string): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
