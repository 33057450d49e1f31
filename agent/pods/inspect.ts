/** Compares a pod's wiring with what ADD sets up, for CHECK, for the status and after a restart. */
import { type IPAddress, IPPrefix } from 'bgp-js/ip';
import type { Allocation } from '../ipam/store.ts';
import { findLink, type Link } from '../kernel/link.ts';
import { listNeighbours } from '../kernel/neighbour.ts';
import type { Netlink } from '../kernel/netlink.ts';
import { lookupRoute } from '../kernel/route-request.ts';
import { effectiveReversePathFilter } from '../kernel/sysctl.ts';
import { GRAVEYARD_GROUP } from './graveyard.ts';
import { POD_GATEWAYS, type PodInterface, readPodInterface } from './pod-interface.ts';

const GATEWAY = POD_GATEWAYS[4];

/** What the runtime expects of the pod's interface (prevResult of CHECK); a later plugin may have changed it. */
export interface Expected {
  mac?: string;
  mtu?: number;
}

/** A difference from what ADD set up. */
export interface Fault {
  /** `missing`: a part of the wiring; `route`: the host's route; `changed`: the pod works, but in another way. */
  kind: 'missing' | 'route' | 'changed';
  text: string;
}

/** The two ends of the link, null if they are missing, and the faults. */
export interface Inspection {
  host: Link | null;
  pod: PodInterface | null;
  faults: Fault[];
}

/** Faults as one human-readable line. */
export function describeFaults(faults: readonly Fault[]): string {
  return faults.map(({ text }) => text).join('; ');
}

/** Reads a pod's wiring. Takes about 0.4 ms; to be called in the kernel queue. Does not throw. */
export function inspect(netlink: Netlink, allocation: Allocation, expected: Expected = {}): Inspection {
  const faults: Fault[] = [];
  const host = attempt(faults, () => findHostLink(netlink, allocation, faults));
  const pod = attempt(faults, () => findPodInterface(allocation, faults));
  if (host !== null) attempt(faults, () => checkHost(netlink, allocation, host, pod, faults));
  if (pod !== null) checkPod(allocation, pod, host, expected, faults);
  return { host, pod, faults };
}

const missing = (text: string): Fault => ({ kind: 'missing', text });
const changed = (text: string): Fault => ({ kind: 'changed', text });

function attempt<T>(faults: Fault[], read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    faults.push(missing((error as Error).message));
    return null;
  }
}

function findHostLink(netlink: Netlink, { hostInterface }: Allocation, faults: Fault[]): Link | null {
  const link = findLink(netlink, hostInterface);
  if (link !== null && link.group !== GRAVEYARD_GROUP) return link;
  faults.push(missing(`the host's link ${hostInterface} is missing`));
  return null;
}

function findPodInterface({ netns, ifname }: Allocation, faults: Fault[]): PodInterface | null {
  const pod = readPodInterface(netns, ifname);
  if (pod === null) faults.push(missing(`${ifname} is missing in ${netns}`));
  return pod;
}

function checkHost(
  netlink: Netlink,
  { addresses, hostInterface }: Allocation,
  host: Link,
  pod: PodInterface | null,
  faults: Fault[],
): void {
  if (!host.up) faults.push(missing(`${hostInterface} is down`));
  const filter = effectiveReversePathFilter(hostInterface);
  if (filter !== 'strict') {
    faults.push(changed(`rp_filter of ${hostInterface} is ${filter}, not strict: the pod can spoof`));
  }
  for (const address of addresses) checkHostAddress(netlink, address, host, pod, faults);
}

/** Checks the neighbour entry and the host route of one address. */
function checkHostAddress(
  netlink: Netlink,
  address: IPAddress,
  host: Link,
  pod: PodInterface | null,
  faults: Fault[],
): void {
  const neighbour = listNeighbours(netlink, host.index).find((entry) => entry.address.equals(address));
  if (!neighbour?.permanent) {
    faults.push(missing(`${host.name} has no permanent neighbour entry for ${address}`));
  } else if (pod !== null && neighbour.mac !== pod.link.mac) {
    const found = `${host.name} has ${neighbour.mac} as neighbour ${address}`;
    faults.push(changed(`${found}, but the pod has ${pod.link.mac}`));
  }
  const prefix = IPPrefix.host(address);
  const { route, reason } = lookupRoute(netlink, address);
  if (!route?.prefix.equals(prefix) || route.nextHops[0]?.interface !== host.index) {
    const instead = route === null ? reason : `${route.prefix} takes its packets`;
    faults.push({ kind: 'route', text: `the host route ${prefix} over ${host.name} is missing: ${instead}` });
  }
}

function checkPod(
  { addresses, ifname }: Allocation,
  pod: PodInterface,
  host: Link | null,
  expected: Expected,
  faults: Fault[],
): void {
  const { link } = pod;
  if (!link.up) faults.push(missing(`${ifname} is down`));
  for (const address of addresses) {
    const found = pod.addresses.find((entry) => entry.address.equals(address));
    if (found?.prefixLength !== address.bits)
      faults.push(missing(`${ifname} does not have the address ${IPPrefix.host(address)}`));
  }
  if (expected.mac !== undefined && link.mac !== expected.mac) {
    faults.push(changed(`${ifname} has MAC ${link.mac} instead of ${expected.mac}`));
  }
  if (expected.mtu !== undefined && link.mtu !== expected.mtu) {
    faults.push(changed(`${ifname} has MTU ${link.mtu} instead of ${expected.mtu}`));
  } else if (host !== null && link.mtu > host.mtu) {
    faults.push(changed(`${ifname} has MTU ${link.mtu}, more than the ${host.mtu} of ${host.name}`));
  }
  checkGateway(ifname, pod, host, faults);
}

/** Checks the pod's way out: the route to the gateway, the default route over it, and its neighbour entry. */
function checkGateway(
  ifname: string,
  { routes, neighbours }: PodInterface,
  host: Link | null,
  faults: Fault[],
): void {
  if (!routes.some((route) => route.prefix.equals(IPPrefix.host(GATEWAY)))) {
    faults.push(missing(`${ifname} has no route to ${GATEWAY}`));
  }
  const isDefault = (prefix: IPPrefix) => prefix.equals(IPPrefix.of(GATEWAY, 0));
  if (!routes.some(({ prefix, nextHops }) => isDefault(prefix) && nextHops[0].gateway?.equals(GATEWAY))) {
    faults.push(missing(`${ifname} has no default route via ${GATEWAY}`));
  }
  const gateway = neighbours.find((entry) => entry.address.equals(GATEWAY));
  if (!gateway?.permanent) {
    faults.push(missing(`${ifname} has no permanent neighbour entry for ${GATEWAY}`));
  } else if (host !== null && gateway.mac !== host.mac) {
    const found = `${ifname} has ${gateway.mac} as neighbour ${GATEWAY}`;
    faults.push(changed(`${found}, but ${host.name} has ${host.mac}`));
  }
}
