/** Neighbour (ARP) entries: RTM_*NEIGH. */
import { IPAddress, type IPVersion } from 'bgp-js/ip';
import { AF_INET6, AF_UNSPEC, FLAG, MESSAGE, NEIGHBOUR_ATTRIBUTE, NEIGHBOUR_PERMANENT } from './constants.ts';
import { KernelError } from './error.ts';
import { ERRNO } from './libc.ts';
import { formatMac, parseMac } from './mac.ts';
import { type MessageBuilder, walkAttributes } from './message.ts';
import type { Netlink } from './netlink.ts';
import { familyOf } from './route.ts';

/** Bytes of struct ndmsg. */
const NEIGHBOUR_LENGTH = 12;
const INTERFACE_FILTER = 8; // NDA_IFINDEX

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
 * Adds or replaces a permanent entry, so that nothing has to be asked by ARP. The interface must be up: going
 * down drops its entries. @throws KernelError
 */
export function setNeighbour(
  netlink: Netlink,
  entry: { interface: number; address: IPAddress; mac: string },
): void {
  const action = `set neighbour ${entry.address} (${entry.mac}) on interface ${entry.interface}`;
  netlink.request(
    action,
    MESSAGE.NEWNEIGH,
    FLAG.CREATE | FLAG.REPLACE,
    NEIGHBOUR_LENGTH,
    (builder, fixed) => {
      writeFixed(builder, fixed, entry.address.version, entry.interface, NEIGHBOUR_PERMANENT);
      builder.bytes(NEIGHBOUR_ATTRIBUTE.DESTINATION, entry.address.toBytes());
      builder.bytes(NEIGHBOUR_ATTRIBUTE.LINK_ADDRESS, parseMac(entry.mac));
    },
  );
}

/** Deletes an entry; false when there was none. @throws KernelError */
export function deleteNeighbour(netlink: Netlink, entry: { interface: number; address: IPAddress }): boolean {
  const action = `delete neighbour ${entry.address} on interface ${entry.interface}`;
  try {
    netlink.request(action, MESSAGE.DELNEIGH, 0, NEIGHBOUR_LENGTH, (builder, fixed) => {
      writeFixed(builder, fixed, entry.address.version, entry.interface, 0);
      builder.bytes(NEIGHBOUR_ATTRIBUTE.DESTINATION, entry.address.toBytes());
    });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ERRNO.ENOENT) return false;
    throw error;
  }
}

/** The neighbours of both families on every interface, or on the one with index `only`. @throws KernelError */
export function listNeighbours(netlink: Netlink, only = 0): Neighbour[] {
  const entries: Neighbour[] = [];
  const fill = (builder: MessageBuilder, fixed: number) => {
    builder.buffer[fixed] = AF_UNSPEC;
    if (only > 0) builder.uint32(INTERFACE_FILTER, only);
  };
  netlink.dump('list neighbours', MESSAGE.GETNEIGH, NEIGHBOUR_LENGTH, fill, (type, buffer, start, end) => {
    if (type !== MESSAGE.NEWNEIGH || end - start < NEIGHBOUR_LENGTH) return;
    const permanent = (buffer.readUInt16LE(start + 8) & NEIGHBOUR_PERMANENT) !== 0;
    const version = buffer[start] === AF_INET6 ? 6 : 4;
    let address: IPAddress | null = null;
    let mac = '';
    walkAttributes(buffer, start + NEIGHBOUR_LENGTH, end, (attribute, from, to) => {
      if (attribute === NEIGHBOUR_ATTRIBUTE.DESTINATION && to - from === (version === 4 ? 4 : 16)) {
        address = IPAddress.read(buffer, from, version);
      } else if (attribute === NEIGHBOUR_ATTRIBUTE.LINK_ADDRESS) mac = formatMac(buffer.subarray(from, to));
    });
    if (address) entries.push({ interface: buffer.readInt32LE(start + 4), address, mac, permanent });
  });
  return entries;
}

function writeFixed(
  builder: MessageBuilder,
  fixed: number,
  version: IPVersion,
  index: number,
  state: number,
): void {
  builder.buffer[fixed] = familyOf(version);
  builder.buffer.writeInt32LE(index, fixed + 4);
  builder.buffer.writeUInt16LE(state, fixed + 8);
}
