/**
 * What a scenario wants its network to be: who there is, who is whose peer, who originates what. The simulation is
 * steered to it, and the oracle computes from it, and from nothing else, what every RIB has to hold.
 */
import type { OriginateOptions } from 'bgp-js/speaker/speaker-types.ts';

/**
 * A rule of a policy, in the few terms that leave a network with one stable state (docs/testing.md). It applies when
 * everything in it that is not null does.
 */
export interface ModelRule {
  /** The prefix is this one or a part of it. */
  within: string | null;
  community: number | null;
  /** The first AS of the path. */
  neighbourAs: number | null;
  action: 'accept' | 'reject' | 'next';
  addCommunity: number | null;
  /** The node's own AS is put in front so often; for eBGP and export alone. */
  prepend: number;
}

/** What a node has configured for one peer. */
export interface ModelPeer {
  client: boolean;
  exportOwn: boolean;
  nextHopSelf: boolean;
  acceptDefault: boolean;
  passive: boolean;
  /** Seconds. */
  holdTime: number;
  maximumPrefixes: number;
  /** Seconds for which the peer is asked to keep routes while the node restarts; 0: it only does so for others. */
  restartTime: number;
  /** The rules of the policies; a route that none accepts or rejects is accepted. Null: there is no policy. */
  importRules: readonly ModelRule[] | null;
  exportRules: readonly ModelRule[] | null;
}

/** One speaker as it is configured. */
export interface ModelNode {
  /** Also its BGP identifier. */
  address: string;
  as: number;
  /** Set: it reflects. */
  clusterId: string | null;
  maximumPaths: number;
  /** Ranges that only it may announce. */
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

  /** Whether the two have, once all is quiet, a session. */
  connected(a: ModelNode, b: ModelNode): boolean {
    if (!a.alive || !b.alive || this.isCut(a.address, b.address)) return false;
    return a.peers.has(b.address) && b.peers.has(a.address);
  }

  /** The nodes with which a node has a session once all is quiet. */
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
