/**
 * Wires the link of a pod, removes it, and restores its host side after a restart.
 *
 * The problem. ADD makes half a dozen changes in two network namespaces, and each can fail: the namespace is deleted
 * meanwhile, another plugin has created an eth0, memory runs out. Afterwards the pod must be either wired or unchanged:
 * the runtime repeats a failed ADD, and remains of the first attempt would make the second one fail.
 *
 * Why not clean up in an error handler? It must know which steps have run, which needs one more branch for every step,
 * and these branches hardly ever run. Removing everything by its name is worse: if the failure was that eth0 exists, it
 * would remove another plugin's eth0.
 *
 * How it works. `wiringSteps` lists the steps as data, each with its own undo. `runSteps` runs them in order. If one
 * fails, it undoes that step and the ones before it, in reverse order, continues if an undo fails, and throws a
 * TransactionError that lists what it could not undo. An undo is safe at any time, even if its step failed half-way or
 * did nothing. The steps of `wire`:
 *
 *   1. create the veth pair, one end in the pod's namespace    undo: bury it; this also undoes steps 2, 3 and 5
 *   2. configure the pod's end: address, neighbour, routes     (pod-interface.ts)
 *   3. configure the host's end: filter, up, neighbour
 *   4. install the host routes and wait for the kernel         undo: delete them
 *   5. wait until both ends have a carrier
 *
 * The order matters. The host route is installed after the anti-spoofing filter and the neighbour entries, so the pod
 * can answer the first packet that reaches it. ADD returns only after both ends have a carrier, so that this answer is
 * not dropped. The address was stored before step 1 (attachments.ts), so a crash anywhere leaves at worst an allocation
 * with a partial link, which the next ADD or DEL of the pod takes down.
 *
 * `unwire` is the reverse for DEL. It deletes the route first, because a route that is still wanted would be restored.
 * Then it only takes the link down: deleting it takes 20 ms of kernel time and is left to graveyard.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type IPAddress, IPPrefix } from 'bgp-js/ip';
import type { Allocation } from '../ipam/store.ts';
import { addressOwner } from '../kernel/address.ts';
import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import { createVeth, findLink, type Link, setLink } from '../kernel/link.ts';
import { setNeighbour } from '../kernel/neighbour.ts';
import type { Netlink } from '../kernel/netlink.ts';
import { ROUTE_METRIC } from '../kernel/route-metrics.ts';
import type { RouteSync } from '../kernel/route-sync.ts';
import { setReversePathFilter, writeSysctl } from '../kernel/sysctl.ts';
import type { SerialQueue } from './concurrency.ts';
import { GRAVEYARD_GROUP, type Graveyard } from './graveyard.ts';
import { linkMacs } from './names.ts';
import { configurePodInterface, withPodNetlink } from './pod-interface.ts';

/** The part of RouteSync (agent/kernel) that host routes need. */
export type HostRoutes = Pick<RouteSync, 'set' | 'delete' | 'whenInstalled'>;

/** How long a new link may take to come up; it takes a millisecond unless the kernel's routing lock is busy. */
const RUNNING_MS_MAX = 5000;

/** What wiring needs. */
export interface WiringTools {
  netlink: Netlink;
  routes: HostRoutes;
  /** All kernel work on pods runs in this queue, one job in each turn of the event loop. */
  kernelQueue: SerialQueue;
  graveyard: Graveyard;
}

/** A pod's link as it was wired, for the result of ADD. */
export interface WiredLink {
  addresses: readonly IPAddress[];
  host: { name: string; mac: string };
  pod: { name: string; mac: string; netns: string };
  /** Bytes. */
  mtu: number;
}

/** One step of a transaction. */
export interface Step {
  /** Completes the error "cannot …". */
  name: string;
  run: () => void | Promise<void>;
  /** Undoes `run`, also if it failed half-way. Left out if undoing an earlier step undoes this one too. */
  undo?: () => void | Promise<void>;
}

/** A step failed. It and the steps before it were undone. */
export class TransactionError extends Error {
  override name = 'TransactionError';
  override readonly cause: unknown;
  /** What could not be undone; empty if everything is as before. */
  readonly leftovers: string[];

  constructor(step: string, cause: unknown, leftovers: string[]) {
    super(`cannot ${step}: ${(cause as Error).message}`);
    this.cause = cause;
    this.leftovers = leftovers;
  }
}

/** Runs the steps in order. If one fails, undoes it and those before it in reverse and throws a TransactionError. */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  for (let at = 0; at < steps.length; at++) {
    try {
      await steps[at].run();
    } catch (error) {
      throw new TransactionError(steps[at].name, error, await undoSteps(steps.slice(0, at + 1).reverse()));
    }
  }
}

async function undoSteps(steps: readonly Step[]): Promise<string[]> {
  const leftovers: string[] = [];
  for (const step of steps) {
    try {
      await step.undo?.();
    } catch (error) {
      leftovers.push(`undo "${step.name}": ${(error as Error).message}`);
    }
  }
  return leftovers;
}

/**
 * Wires a pod. `mtu` in bytes.
 * @throws TransactionError, and then the link is removed again
 */
export async function wire(tools: WiringTools, allocation: Allocation, mtu: number): Promise<WiredLink> {
  const macs = linkMacs(allocation);
  const { addresses, hostInterface, ifname, netns } = allocation;
  const wired: WiredLink = {
    addresses,
    host: { name: hostInterface, mac: macs.host },
    pod: { name: ifname, mac: macs.pod, netns },
    mtu,
  };
  await runSteps(wiringSteps(tools, wired));
  return wired;
}

/** The steps that wire a pod; they correct the MAC addresses in `wired` to those that the kernel reports. */
function wiringSteps(tools: WiringTools, wired: WiredLink): Step[] {
  const { netlink, routes, kernelQueue, graveyard } = tools;
  const { addresses, host, pod, mtu } = wired;
  let link: Link | undefined;
  return [
    {
      name: `create the link ${host.name}`,
      run: () =>
        kernelQueue.run(() => {
          link = createVeth(netlink, { name: host.name, mtu, mac: host.mac, peer: pod });
          host.mac = link.mac;
        }),
      undo: () => kernelQueue.run(() => link && graveyard.bury(link)),
    },
    {
      name: `configure ${pod.name} in ${pod.netns}`,
      run: () =>
        kernelQueue.run(() => {
          const settings = { ifname: pod.name, addresses, gatewayMac: host.mac };
          pod.mac = configurePodInterface(pod.netns, settings).mac;
        }),
    },
    {
      name: `configure ${host.name} on the host`,
      run: () => kernelQueue.run(() => configureHostEnd(netlink, link!, addresses, pod.mac)),
    },
    {
      name: `install the route to ${addresses.join(', ')}`,
      run: async () => {
        setHostRoutes(routes, addresses, link!.index);
        await Promise.all(
          addresses.map((address) => routes.whenInstalled(IPPrefix.host(address), ROUTE_METRIC.POD)),
        );
      },
      undo: () => deleteHostRoutes(routes, addresses),
    },
    {
      name: `bring up both ends of ${host.name}`,
      run: () => untilRunning(kernelQueue, () => isRunning(netlink, link!.index, pod)),
    },
  ];
}

/** Sets the routes from the host onto the pod's link. No other route is preferred to them. */
function setHostRoutes(routes: HostRoutes, addresses: readonly IPAddress[], index: number): void {
  for (const address of addresses)
    routes.set(IPPrefix.host(address), ROUTE_METRIC.POD, {
      type: 'unicast',
      nextHops: [{ interface: index }],
    });
}

function deleteHostRoutes(routes: HostRoutes, addresses: readonly IPAddress[]): void {
  for (const address of addresses) routes.delete(IPPrefix.host(address), ROUTE_METRIC.POD);
}

/**
 * MTU in bytes of the interface that holds the node's address. To be called in the kernel queue.
 * @throws Error if no interface holds it
 */
export function nodeMtu(netlink: Netlink, nodeAddress: IPAddress): number {
  const link = addressOwner(netlink, nodeAddress);
  if (link === null)
    throw new Error(
      `no interface of this node holds its address ${nodeAddress}; check "address" in agent.yaml`,
    );
  return link.mtu;
}

/** Configures the host's end of the link. Idempotent. */
function configureHostEnd(
  netlink: Netlink,
  link: Link,
  addresses: readonly IPAddress[],
  podMac: string,
): void {
  // Against spoofing: only the pod's own addresses have a route over this link (RFC 3704 §2.2).
  setReversePathFilter(link.name, 'strict');
  refuseAdvertisements(link.name);
  if (!link.up) setLink(netlink, link.index, { up: true });
  for (const address of addresses) setNeighbour(netlink, { interface: link.index, address, mac: podMac });
}

/** Refuses router advertisements, by which a pod could become the node's IPv6 router (CVE-2020-10749). */
function refuseAdvertisements(name: string): void {
  try {
    writeSysctl(`ipv6/conf/${name}/accept_ra`, 0);
  } catch (error) {
    // A kernel without IPv6 accepts no advertisements.
    if (!(error instanceof KernelError && error.errno === ERRNO.ENOENT)) throw error;
  }
}

function isRunning(netlink: Netlink, hostIndex: number, pod: WiredLink['pod']): boolean {
  const inPod = withPodNetlink(pod.netns, (podNetlink) => findLink(podNetlink, pod.name));
  return inPod?.running === true && findLink(netlink, hostIndex)?.running === true;
}

/**
 * Waits for the carrier of a link that is up. The link drops packets until the kernel's link watch has run, which waits
 * for the routing lock: without this wait the pod's first answer could be lost while other links are being deleted.
 */
async function untilRunning(kernelQueue: SerialQueue, isRunning: () => boolean): Promise<void> {
  const deadline = performance.now() + RUNNING_MS_MAX;
  while (!(await kernelQueue.run(isRunning))) {
    if (performance.now() > deadline) throw new Error(`no carrier after ${RUNNING_MS_MAX} ms`);
    await sleep(1);
  }
}

/** Takes a pod's link out of service: no packet reaches the pod afterwards. The link is deleted in the background. */
export async function unwire(tools: WiringTools, { addresses, hostInterface }: Allocation): Promise<void> {
  const { netlink, routes, kernelQueue, graveyard } = tools;
  // Must come first: taking the link down removes the route from the kernel, and a wanted route would be restored.
  deleteHostRoutes(routes, addresses);
  await kernelQueue.run(() => {
    const link = findLink(netlink, hostInterface);
    if (link !== null && link.group !== GRAVEYARD_GROUP) graveyard.bury(link);
  });
}

/** Removes a link of this name that belongs to no allocation. Resolves when the name is free. */
export async function freeName(tools: WiringTools, name: string): Promise<void> {
  const { netlink, kernelQueue, graveyard } = tools;
  await kernelQueue.run(() => {
    const link = findLink(netlink, name);
    if (link === null) return;
    if (link.group === GRAVEYARD_GROUP) graveyard.note(name);
    else graveyard.bury(link);
  });
  await graveyard.gone(name);
}

/**
 * Restores the host's side of a pod after a restart: host routes, neighbour entries, reverse-path filter. Does not
 * change what is correct. Without `podMac` it restores only the routes. To be called in the kernel queue.
 */
export function restoreHostSide(
  tools: WiringTools,
  allocation: Allocation,
  link: Link,
  podMac?: string,
): void {
  setHostRoutes(tools.routes, allocation.addresses, link.index);
  if (podMac !== undefined) configureHostEnd(tools.netlink, link, allocation.addresses, podMac);
}
