/** The pod's end of its link: configures it inside the pod's network namespace, and reads it back. */
import { IPAddress, IPPrefix, type IPVersion } from 'bgp-js/ip';
import { type AssignedAddress, addAddress, listAddresses } from '../kernel/address.ts';
import { PROTOCOL, TABLE } from '../kernel/constants.ts';
import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import { findLink, type Link, setLink } from '../kernel/link.ts';
import { listNeighbours, type Neighbour, setNeighbour } from '../kernel/neighbour.ts';
import { Netlink } from '../kernel/netlink.ts';
import { withNetns } from '../kernel/netns.ts';
import type { RouteEntry } from '../kernel/route.ts';
import { addRoute, listRoutes } from '../kernel/route-request.ts';

/**
 * The gateways of every pod, by IP version: link-local addresses that no interface has. A permanent neighbour entry leads
 * them to the host's end of the link. Only the IPv4 gateway is set up so far.
 */
export const POD_GATEWAYS: Readonly<Record<IPVersion, IPAddress>> = {
  4: IPAddress.v4(0xa9fe0101), // 169.254.1.1
  6: IPAddress.v6(0xfe800000, 0, 0, 1), // fe80::1
};

/** What `configurePodInterface` sets up. */
export interface PodInterfaceSettings {
  /** Name of the pod's interface, e.g. `eth0`. */
  ifname: string;
  /** The pod's addresses, each of which the interface gets as a /32 or /128. */
  addresses: readonly IPAddress[];
  /** MAC address of the host's end of the link. */
  gatewayMac: string;
}

/** A pod's interface as the kernel reports it. */
export interface PodInterface {
  link: Link;
  addresses: AssignedAddress[];
  /** Routes of the main table over this interface. */
  routes: RouteEntry[];
  neighbours: Neighbour[];
}

/**
 * Opens a netlink socket in the namespace at `netns`, passes it to `work`, and closes it. Synchronous.
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
 * Configures the pod's end: lo and the interface up, the addresses, the gateway's neighbour entry, the on-link route to
 * the gateway and the default route over it. Returns the interface, whose MAC the host's neighbour entry needs. Takes
 * about 0.3 ms. Deleting the link undoes all of it, also after an error.
 * @throws KernelError (EEXIST: the namespace already has a default route, over another interface)
 */
export function configurePodInterface(netns: string, settings: PodInterfaceSettings): Link {
  const { ifname, addresses, gatewayMac } = settings;
  const gateway = POD_GATEWAYS[4];
  return withPodNetlink(netns, (netlink) => {
    const lo = findLink(netlink, 'lo');
    if (lo !== null && !lo.up) setLink(netlink, lo.index, { up: true });
    const link = findLink(netlink, ifname);
    if (link === null) throw new KernelError(`find interface ${ifname} in ${netns}`, ERRNO.ENODEV);
    const index = link.index;
    for (const address of addresses)
      addAddress(netlink, { interface: index, address, prefixLength: address.bits });
    // Up before neighbours and routes: an interface that is down holds neither.
    setLink(netlink, index, { up: true });
    setNeighbour(netlink, { interface: index, address: gateway, mac: gatewayMac });
    const owner = { table: TABLE.MAIN, protocol: PROTOCOL.BOOT };
    const onLink = { type: 'unicast', nextHops: [{ interface: index }], metric: 0 } as const;
    addRoute(netlink, owner, { ...onLink, prefix: IPPrefix.host(gateway) });
    const nextHops = [{ gateway, interface: index }];
    addRoute(netlink, owner, { type: 'unicast', prefix: IPPrefix.of(gateway, 0), nextHops, metric: 0 });
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
    const overLink = (route: RouteEntry) => route.nextHops.some((hop) => hop.interface === link.index);
    return {
      link,
      addresses: listAddresses(netlink, link.index),
      routes: listRoutes(netlink).filter(overLink),
      neighbours: listNeighbours(netlink, link.index),
    };
  });
}
