/** After a restart: pods' routes are wanted again before anybody could take them away, and what nobody owns goes. */
import type { Allocation } from '../ipam/store.ts';
import { GRAVEYARD_GROUP, HOST_LINK_PREFIX, listLinks } from '../kernel/link.ts';
import { type Fault, inspect } from './inspect.ts';
import { HOST_LINK_NAME } from './names.ts';
import { restoreHostSide, type WiringTools } from './wiring.ts';

/** What a restart found. */
export interface Recovery {
  /** Faults of each allocation's wiring, after what could be put right. */
  faults: Map<Allocation, Fault[]>;
  /** Links that no allocation owns; they are on their way out. */
  orphans: string[];
}

/**
 * Takes up the pods of a former run. Nothing that works is touched, so that their traffic does not notice. A pod
 * whose link is gone keeps its address until DEL.
 */
export async function recover(tools: WiringTools, allocations: readonly Allocation[]): Promise<Recovery> {
  const { netlink, turns, graveyard } = tools;
  const owned = new Map(allocations.map((allocation) => [allocation.hostInterface, allocation]));
  const faults = new Map<Allocation, Fault[]>();
  const orphans: string[] = [];
  const links = await turns.run(() => listLinks(netlink, HOST_LINK_PREFIX));
  for (const link of links) {
    if (link.kind !== 'veth' || !HOST_LINK_NAME.test(link.name)) continue;
    if (link.group === GRAVEYARD_GROUP) graveyard.note(link.name);
    else if (!owned.has(link.name)) {
      await turns.run(() => graveyard.bury(link));
      orphans.push(link.name);
    }
  }
  for (const allocation of allocations)
    faults.set(allocation, await turns.run(() => takeUp(tools, allocation)));
  return { faults, orphans };
}

function takeUp(tools: WiringTools, allocation: Allocation): Fault[] {
  const { host, pod, faults } = inspect(tools.netlink, allocation);
  if (host === null || faults.length === 0) {
    if (host !== null) restoreHostSide(tools, allocation, host, undefined);
    return faults;
  }
  restoreHostSide(tools, allocation, host, pod?.link.mac);
  // The route is wanted again, and comes back as soon as routes are written.
  return inspect(tools.netlink, allocation).faults.filter(({ kind }) => kind !== 'route');
}
