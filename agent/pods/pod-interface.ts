/** The pod's end of its link: what is wired inside its network namespace, and reading it back. */
import { IPAddress, IPPrefix, parseAddress } from 'bgp-js/ip';
import { addAddress, type InterfaceAddress, listAddresses } from '../kernel/address.ts';
import { PROTOCOL, TABLE } from '../kernel/constants.ts';
import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import { findLink, type Link, setLink } from '../kernel/link.ts';
import { listNeighbours, type Neighbour, setNeighbour } from '../kernel/neighbour.ts';
import { Netlink } from '../kernel/netlink.ts';
import { withNetns } from '../kernel/netns.ts';
import type { RouteEntry } from '../kernel/route.ts';
import { addRoute, listRoutes } from '../kernel/route-request.ts';

/** The gateway of every pod: an address nobody holds, behind a permanent neighbour entry. */
export const POD_GATEWAY = IPAddress.v4(0xa9fe0101); // 169.254.1.1
/** 0.0.0.0/0 */
export const DEFAULT_PREFIX = IPPrefix.of(IPAddress.v4(0), 0);

/** What `configurePodInterface` sets up. */
export interface PodInterfaceSettings {
  /** Name of the pod's interface, e.g. `eth0`. */
  ifname: string;
  /** The pod's IPv4 address, given to the interface as a /32. */
  address: string;
  /** MAC address of the host's end of the link. */
  gatewayMac: string;
}

/** A pod's interface as it is, for CNI CHECK. */
export interface PodInterface {
  link: Link;
  addresses: InterfaceAddress[];
  /** Routes of the main table that leave by this interface. */
  routes: RouteEntry[];
  neighbours: Neighbour[];
}

/**
 * Opens a netlink socket in the namespace at `netns`, gives it to `work`, and closes it. Synchronous.
 * @throws KernelError (ENOENT: the namespace is gone)
 */
export function withPodNetlink<T>(netns: string, work: (netlink: Netlink) => T): T {
  const netlink = withNetns(netns, () => new Netlink());
  try {
    return work(netlink);
  } finally {
    netlink.close();
  }
}

/**
 * Wires the pod's end: lo and the interface up, the address, the gateway's neighbour entry, the on-link route to
 * the gateway and the default route over it. Returns the interface, whose MAC the host's neighbour entry needs.
 * About 0.3 ms. @throws KernelError (EEXIST: the namespace has a default route already, so another interface
 * serves it); what was done until then goes when the link is deleted
 */
export function configurePodInterface(netns: string, settings: PodInterfaceSettings): Link {
  const { ifname, address, gatewayMac } = settings;
  return withPodNetlink(netns, (netlink) => {
    const lo = findLink(netlink, 'lo');
    if (lo !== null && !lo.up) setLink(netlink, lo.index, { up: true });
    const link = findLink(netlink, ifname);
    if (link === null) throw new KernelError(`find interface ${ifname} in ${netns}`, ERRNO.ENODEV);
    const index = link.index;
    addAddress(netlink, { interface: index, address: parseAddress(address)!, prefixLength: 32 });
    // Up before neighbours and routes: an interface that is down holds neither.
    setLink(netlink, index, { up: true });
    setNeighbour(netlink, { interface: index, address: POD_GATEWAY, mac: gatewayMac });
    const owner = { table: TABLE.MAIN, protocol: PROTOCOL.BOOT };
    const onLink = { type: 'unicast', nextHops: [{ interface: index }], metric: 0 } as const;
    addRoute(netlink, owner, { ...onLink, prefix: IPPrefix.host(POD_GATEWAY) });
    const nextHops = [{ gateway: POD_GATEWAY, interface: index }];
    addRoute(netlink, owner, { type: 'unicast', prefix: DEFAULT_PREFIX, nextHops, metric: 0 });
    return link;
  });
}

/**
 * Reads a pod's interface back; null when the namespace has none of that name.
 * @throws KernelError (ENOENT: the namespace is gone)
 */
export function readPodInterface(netns: string, ifname: string): PodInterface | null {
  return withPodNetlink(netns, (netlink) => {
    const link = findLink(netlink, ifname);
    if (link === null) return null;
    const leavesHere = (route: RouteEntry) => route.nextHops.some((hop) => hop.interface === link.index);
    return {
      link,
      addresses: listAddresses(netlink, link.index),
      routes: listRoutes(netlink).filter(leavesHere),
      neighbours: listNeighbours(netlink, link.index),
    };
  });
}
