/** Neighbour entries (ARP and neighbour discovery): RTM_*NEIGH. */
import { IPAddress } from 'bgp-js/ip';
import {
  fillWith,
  formatNeighborMessage,
  type NeighborMessage,
  parseNeighborMessage,
  putU32,
} from './codec.ts';
import { AF_INET, AF_INET6, AF_UNSPEC, FLAG, MESSAGE } from './constants.ts';
import { KernelError } from './error.ts';
import { ERRNO } from './libc.ts';
import { formatMac, parseMac } from './mac.ts';
import type { Netlink } from './netlink.ts';
import { familyOf } from './route.ts';

/** An address on a link and the MAC address behind it. */
export interface Neighbour {
  /** Index of the interface. */
  interface: number;
  address: IPAddress;
  /** Empty while it is being resolved. */
  mac: string;
  /** It was configured and never expires. */
  permanent: boolean;
}

/**
 * Adds or replaces a permanent entry, for which the kernel sends no ARP requests. The interface must be up: going down
 * deletes its entries. @throws KernelError
 */
export function setNeighbour(
  netlink: Netlink,
  entry: { interface: number; address: IPAddress; mac: string },
): void {
  const message = neighbourMessage(entry);
  message.data.state = { permanent: true };
  message.attrs.lladdr = parseMac(entry.mac);
  netlink.request(
    `set neighbour ${entry.address} (${entry.mac}) on interface ${entry.interface}`,
    MESSAGE.NEWNEIGH,
    FLAG.CREATE | FLAG.REPLACE,
    0,
    fillWith(formatNeighborMessage, message),
  );
}

/** Deletes an entry; false when there is none. @throws KernelError */
export function deleteNeighbour(netlink: Netlink, entry: { interface: number; address: IPAddress }): boolean {
  const action = `delete neighbour ${entry.address} on interface ${entry.interface}`;
  try {
    const fill = fillWith(formatNeighborMessage, neighbourMessage(entry));
    netlink.request(action, MESSAGE.DELNEIGH, 0, 0, fill);
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ERRNO.ENOENT) return false;
    throw error;
  }
}

/** The neighbours of both families on every interface, or on the one with index `only`. @throws KernelError */
export function listNeighbours(netlink: Netlink, only = 0): Neighbour[] {
  const entries: Neighbour[] = [];
  const attrs = only > 0 ? { ifindex: putU32(only) } : {};
  const filter: NeighborMessage = { kind: 'neighbor', data: { family: AF_UNSPEC }, attrs };
  const fill = fillWith(formatNeighborMessage, filter);
  netlink.dump('list neighbours', MESSAGE.GETNEIGH, 0, fill, (type, buffer, start, end) => {
    if (type !== MESSAGE.NEWNEIGH) return;
    const { data, attrs } = parseNeighborMessage(buffer.subarray(start, end));
    // Forwarding entries of a bridge or VXLAN device have another family.
    if (attrs.dst === undefined || (data.family !== AF_INET && data.family !== AF_INET6)) return;
    entries.push({
      interface: data.ifindex ?? 0,
      address: IPAddress.read(attrs.dst, 0, data.family === AF_INET6 ? 6 : 4),
      mac: formatMac(attrs.lladdr ?? new Uint8Array()),
      permanent: data.state?.permanent === true,
    });
  });
  return entries;
}

function neighbourMessage({ interface: ifindex, address }: Pick<Neighbour, 'interface' | 'address'>) {
  const message: NeighborMessage = {
    kind: 'neighbor',
    data: { family: familyOf(address.version), ifindex },
    attrs: { dst: Buffer.from(address.toBytes()) },
  };
  return message;
}
