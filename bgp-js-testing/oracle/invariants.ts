/** Invariants of a network at rest. Each check returns a text for every fault. */
import type { Cluster } from '../simulator/cluster.ts';
import { accountFaults, advertisedRoutes, type HeldEntry, hasStale, heldRib } from '../simulator/inspect.ts';
import { computeRibs, describe, type OracleEntry } from './oracle.ts';

type Held = Map<string, Map<string, HeldEntry>>;

/** Why the network is not at rest, or null when it is. */
export function unrest({ model, sim }: Cluster): string | null {
  for (const node of model.nodes.values()) {
    if (!node.alive) continue;
    const { speaker } = sim.nodes.get(node.address)!;
    if (speaker.hasWork) return `${node.address} has work left`;
    if (hasStale(speaker)) return `${node.address} keeps routes over a restart`;
    for (const id of speaker.connections()) {
      if (speaker.wantsToSend(id)) return `${node.address} has something left to send on connection ${id}`;
    }
    for (const peer of speaker.peers) {
      const wanted = model.connected(node, model.node(String(peer.address)));
      if (wanted === (peer.established !== null)) continue;
      return `${node.address} is ${peer.state(sim.clock(sim.nodes.get(node.address)!))} with ${peer.address}`;
    }
  }
  const octets = sim.network.octetsInFlight;
  return octets > 0 ? `${octets} octets are under way` : null;
}

/** All faults at a quiet point. */
export function faultsAtRest(cluster: Cluster): string[] {
  const { sim } = cluster;
  const held: Held = new Map([...sim.nodes].map(([address, { speaker }]) => [address, heldRib(speaker)]));
  const faults = [...ribFaults(cluster, held), ...exchangeFaults(cluster, held), ...forwardingFaults(held)];
  for (const [address, { speaker }] of sim.nodes) {
    faults.push(...accountFaults(speaker).map((text) => `${address}: ${text}`));
  }
  return faults;
}

/** Compares Adj-RIB-In, Loc-RIB and multipath of every node with the oracle. */
function ribFaults({ model }: Cluster, held: Held): string[] {
  const faults: string[] = [];
  for (const [address, should] of computeRibs(model)) {
    const is = held.get(address) ?? new Map<string, HeldEntry>();
    for (const prefix of new Set([...is.keys(), ...should.keys()])) {
      const where = `${address} ${prefix}`;
      faults.push(...entryFaults(is.get(prefix), should.get(prefix)).map((text) => `${where}: ${text}`));
    }
  }
  return faults;
}

function entryFaults(is: HeldEntry | undefined, should: OracleEntry | undefined): string[] {
  const faults: string[] = [];
  const compare = (what: string, one: string | undefined, other: string | undefined) => {
    if (one !== other) faults.push(`${what} is ${one ?? 'missing'}, should be ${other ?? 'none'}`);
  };
  for (const from of new Set([...(is?.routes.keys() ?? []), ...(should?.routes.keys() ?? [])])) {
    const route = should?.routes.get(from);
    compare(`route from ${from || 'itself'}`, is?.routes.get(from), route && describe(route));
  }
  const best = should?.best ? (should.best.from ?? '') : null;
  compare('best', String(is?.best ?? null), String(best));
  const shared = should?.multipath.map(({ from }) => from ?? '').sort();
  compare('multipath', (is?.multipath ?? []).sort().join(' '), (shared ?? []).join(' '));
  return faults;
}

/** A's Adj-RIB-Out towards B equals B's Adj-RIB-In from A. */
function exchangeFaults({ sim }: Cluster, held: Held): string[] {
  const faults: string[] = [];
  for (const [from, { speaker }] of sim.nodes) {
    for (const [to, advertised] of advertisedRoutes(speaker)) {
      const has = new Set<string>();
      for (const [prefix, entry] of held.get(to) ?? []) if (entry.routes.has(from)) has.add(prefix);
      for (const prefix of new Set([...advertised, ...has])) {
        if (advertised.has(prefix) && has.has(prefix)) continue;
        faults.push(
          `${from} ${advertised.has(prefix) ? 'advertised' : 'did not advertise'} ${prefix} to ${to}, which ${has.has(prefix) ? 'has' : 'does not have'} it`,
        );
      }
    }
  }
  return faults;
}

/** Following the next hops of a prefix from any node leads to one that originates it. */
function forwardingFaults(held: Held): string[] {
  const faults: string[] = [];
  for (const [start, rib] of held) {
    for (const [prefix, entry] of rib) {
      if (entry.best === null) continue;
      const way = [start];
      let at: HeldEntry | undefined = entry;
      while (at && at.best !== '' && way.length <= held.size + 1) {
        const next: string = at.nextHop ?? 'nowhere';
        way.push(next);
        at = held.get(next)?.get(prefix);
        if (at?.best === null) at = undefined;
      }
      if (at?.best !== '') faults.push(`packets to ${prefix} do not arrive: ${way.join(' → ')}`);
    }
  }
  return faults;
}

/** What is left in a network after all routes were withdrawn and all sessions closed. */
export function leaks({ sim }: Cluster): string[] {
  const faults: string[] = [];
  for (const [address, { speaker }] of sim.nodes) {
    const { rib, attributes } = speaker.routing;
    const left = [...speaker.connections()].length;
    if (left > 0) faults.push(`${address}: ${left} connections are left`);
    if (rib.paths > 0) faults.push(`${address}: ${rib.paths} paths are left`);
    if (rib.prefixes.size > 0) faults.push(`${address}: ${rib.prefixes.size} prefixes are left`);
    if (attributes.size > 0) faults.push(`${address}: ${attributes.size} attribute sets are left`);
  }
  return faults;
}
