/** Neighbour (ARP) entries: RTM_*NEIGH. */
import { AF_INET, FLAG, MESSAGE, NEIGHBOUR_ATTRIBUTE, NEIGHBOUR_PERMANENT } from './constants.ts';
import { KernelError } from './error.ts';
import { formatAddress, formatMac, parseAddress, parseMac } from './ip.ts';
import { ERRNO } from './libc.ts';
import { type MessageBuilder, walkAttributes } from './message.ts';
import type { Netlink } from './netlink.ts';

/** Bytes of struct ndmsg. */
const NEIGHBOUR_LENGTH = 12;
const INTERFACE_FILTER = 8; // NDA_IFINDEX

/** An address on a link and the MAC address behind it. */
export interface Neighbour {
  /** Index of the interface. */
  interface: number;
  address: string;
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
  entry: { interface: number; address: string; mac: string },
): void {
  const action = `set neighbour ${entry.address} (${entry.mac}) on interface ${entry.interface}`;
  netlink.request(
    action,
    MESSAGE.NEWNEIGH,
    FLAG.CREATE | FLAG.REPLACE,
    NEIGHBOUR_LENGTH,
    (builder, fixed) => {
      writeFixed(builder, fixed, entry.interface, NEIGHBOUR_PERMANENT);
      builder.bytes(NEIGHBOUR_ATTRIBUTE.DESTINATION, parseAddress(entry.address));
      builder.bytes(NEIGHBOUR_ATTRIBUTE.LINK_ADDRESS, parseMac(entry.mac));
    },
  );
}

/** Deletes an entry; false when there was none. @throws KernelError */
export function deleteNeighbour(netlink: Netlink, entry: { interface: number; address: string }): boolean {
  const action = `delete neighbour ${entry.address} on interface ${entry.interface}`;
  try {
    netlink.request(action, MESSAGE.DELNEIGH, 0, NEIGHBOUR_LENGTH, (builder, fixed) => {
      writeFixed(builder, fixed, entry.interface, 0);
      builder.bytes(NEIGHBOUR_ATTRIBUTE.DESTINATION, parseAddress(entry.address));
    });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ERRNO.ENOENT) return false;
    throw error;
  }
}

/** The IPv4 neighbours on every interface, or on the one with index `only`. @throws KernelError */
export function listNeighbours(netlink: Netlink, only = 0): Neighbour[] {
  const entries: Neighbour[] = [];
  const fill = (builder: MessageBuilder, fixed: number) => {
    builder.buffer[fixed] = AF_INET;
    if (only > 0) builder.uint32(INTERFACE_FILTER, only);
  };
  netlink.dump('list neighbours', MESSAGE.GETNEIGH, NEIGHBOUR_LENGTH, fill, (type, buffer, start, end) => {
    if (type !== MESSAGE.NEWNEIGH || end - start < NEIGHBOUR_LENGTH) return;
    const permanent = (buffer.readUInt16LE(start + 8) & NEIGHBOUR_PERMANENT) !== 0;
    const entry = { interface: buffer.readInt32LE(start + 4), address: '', mac: '', permanent };
    walkAttributes(buffer, start + NEIGHBOUR_LENGTH, end, (attribute, from, to) => {
      if (attribute === NEIGHBOUR_ATTRIBUTE.DESTINATION && to - from === 4) {
        entry.address = formatAddress(buffer, from);
      } else if (attribute === NEIGHBOUR_ATTRIBUTE.LINK_ADDRESS) entry.mac = formatMac(buffer, from, to);
    });
    entries.push(entry);
  });
  return entries;
}

function writeFixed(builder: MessageBuilder, fixed: number, index: number, state: number): void {
  builder.buffer[fixed] = AF_INET;
  builder.buffer.writeInt32LE(index, fixed + 4);
  builder.buffer.writeUInt16LE(state, fixed + 8);
}
