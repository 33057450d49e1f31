/** A pod's link: how it is made, how it is taken away, and what is wrong with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { IPPrefix, parseAddress } from 'bgp-js/ip';
import type { Allocation } from '../ipam/store.ts';
import { addressOwner } from '../kernel/address.ts';
import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import { createVeth, findLink, GRAVEYARD_GROUP, type Link, setLink } from '../kernel/link.ts';
import { setNeighbour } from '../kernel/neighbour.ts';
import type { Netlink } from '../kernel/netlink.ts';
import { ROUTE_METRIC } from '../kernel/route-metrics.ts';
import type { RouteSync } from '../kernel/route-sync.ts';
import { setReversePathFilter, writeSysctl } from '../kernel/sysctl.ts';
import type { SerialQueue } from './concurrency.ts';
import type { Graveyard } from './graveyard.ts';
import { linkMacs } from './names.ts';
import { configurePodInterface, withPodNetlink } from './pod-interface.ts';
import type { Wired } from './result.ts';
import type { Step } from './transaction.ts';

/** The part of RouteSync (agent/kernel) that host routes need. */
export type HostRoutes = Pick<RouteSync, 'set' | 'delete' | 'whenInstalled'>;

/** How long a new link may take to come up; it takes a millisecond unless the kernel's routing lock is busy. */
const RUNNING_MS_MAX = 5000;

/** What wiring works with. */
export interface WiringTools {
  netlink: Netlink;
  routes: HostRoutes;
  turns: SerialQueue;
  graveyard: Graveyard;
}

/** A pod's address as the prefix of its host route. */
const hostPrefix = (address: string): IPPrefix => IPPrefix.host(parseAddress(address)!);

/** Wants the host route of an address: straight onto the pod's link. */
function setHostRoute(routes: HostRoutes, address: string, index: number): void {
  routes.set(hostPrefix(address), ROUTE_METRIC.POD, { type: 'unicast', nextHops: [{ interface: index }] });
}

/** MTU of the interface that holds the node's address. To be called in a turn of the kernel. */
export function nodeMtu(netlink: Netlink, nodeAddress: string): number {
  const link = addressOwner(netlink, parseAddress(nodeAddress)!);
  if (link === null)
    throw new Error(`no interface of this node holds its address ${nodeAddress}; check "address"`);
  return link.mtu;
}

/** Sets up what belongs to the host's end; also right when it is there already. */
function configureHostEnd(netlink: Netlink, link: Link, address: string, podMac: string): void {
  // Against spoofing: only the pod's own address has a route over this link (RFC 3704 section 2.2).
  setReversePathFilter(link.name, 'strict');
  refuseAdvertisements(link.name);
  if (!link.up) setLink(netlink, link.index, { up: true });
  setNeighbour(netlink, { interface: link.index, address: parseAddress(address)!, mac: podMac });
}

/** Without this a pod could make itself the node's IPv6 router by a router advertisement (CVE-2020-10749). */
function refuseAdvertisements(name: string): void {
  try {
    writeSysctl(`ipv6/conf/${name}/accept_ra`, 0);
  } catch (error) {
    // A kernel without IPv6 takes no advertisements.
    if (!(error instanceof KernelError && error.errno === ERRNO.ENOENT)) throw error;
  }
}

/**
 * The steps that wire a pod, in order.
 * @param wired filled in by the steps, for the result.
 */
export function wiringPlan(
  tools: WiringTools,
  allocation: Allocation,
  mtu: number,
  wired: Partial<Wired>,
): Step[] {
  const { netlink, routes, turns, graveyard } = tools;
  const { address, hostInterface, ifname, netns } = allocation;
  const macs = linkMacs(allocation);
  let host: Link | undefined;
  let podMac = macs.pod;
  return [
    {
      name: `create the link ${hostInterface}`,
      run: () =>
        turns.run(() => {
          const peer = { name: ifname, netns, mac: macs.pod };
          host = createVeth(netlink, { name: hostInterface, mtu, mac: macs.host, peer });
          Object.assign(wired, { address, mtu, host: { name: hostInterface, mac: host.mac } });
        }),
      undo: () => turns.run(() => host && graveyard.bury(host)),
    },
    {
      name: `configure ${ifname} in ${netns}`,
      run: () =>
        turns.run(() => {
          podMac = configurePodInterface(netns, { ifname, address, gatewayMac: macs.host }).mac;
          wired.pod = { name: ifname, mac: podMac, netns };
        }),
      // Undone with the link.
    },
    {
      name: `configure ${hostInterface} on the host`,
      run: () => turns.run(() => configureHostEnd(netlink, host!, address, podMac)),
    },
    {
      name: `install the route to ${address}`,
      run: () => {
        setHostRoute(routes, address, host!.index);
        return routes.whenInstalled(hostPrefix(address), ROUTE_METRIC.POD);
      },
      undo: () => routes.delete(hostPrefix(address), ROUTE_METRIC.POD),
    },
    {
      name: `bring up both ends of ${hostInterface}`,
      run: () => untilRunning(turns, () => isRunning(netlink, host!.index, netns, ifname)),
    },
  ];
}

function isRunning(netlink: Netlink, hostIndex: number, netns: string, ifname: string): boolean {
  const inPod = withPodNetlink(netns, (podNetlink) => findLink(podNetlink, ifname));
  return inPod?.running === true && findLink(netlink, hostIndex)?.running === true;
}

/**
 * A link that was brought up drops what is sent over it until the kernel's link watch has run, which waits for the
 * routing lock: without this the pod's first answer could be lost while other links are being deleted.
 */
async function untilRunning(turns: SerialQueue, isRunning: () => boolean): Promise<void> {
  const deadline = performance.now() + RUNNING_MS_MAX;
  while (!(await turns.run(isRunning))) {
    if (performance.now() > deadline) throw new Error(`it has no carrier after ${RUNNING_MS_MAX} ms`);
    await sleep(1);
  }
}

/** Takes a pod's link out of service: no packet reaches it afterwards, and it is deleted in the background. */
export async function unwire(tools: WiringTools, { address, hostInterface }: Allocation): Promise<void> {
  const { netlink, routes, turns, graveyard } = tools;
  // First the wish, so that nobody puts the route back; the kernel's own copy goes down with the link at the latest.
  routes.delete(hostPrefix(address), ROUTE_METRIC.POD);
  await turns.run(() => {
    const link = findLink(netlink, hostInterface);
    if (link !== null && link.group !== GRAVEYARD_GROUP) graveyard.bury(link);
  });
}

/** Takes away a link of this name that nobody owns, and fulfils when the name is free. */
export async function freeName(tools: WiringTools, name: string): Promise<void> {
  const { netlink, turns, graveyard } = tools;
  await turns.run(() => {
    const link = findLink(netlink, name);
    if (link === null) return;
    if (link.group === GRAVEYARD_GROUP) graveyard.note(name);
    else graveyard.bury(link);
  });
  await graveyard.gone(name);
}

/**
 * Puts the host's side of a pod right after a restart, without touching what is right: the route, the neighbour
 * entry, the reverse-path filter. To be called in a turn of the kernel.
 */
export function restoreHostSide(
  tools: WiringTools,
  allocation: Allocation,
  link: Link,
  podMac: string | undefined,
): void {
  setHostRoute(tools.routes, allocation.address, link.index);
  if (podMac !== undefined) configureHostEnd(tools.netlink, link, allocation.address, podMac);
}
