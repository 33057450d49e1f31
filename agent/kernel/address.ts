/** Addresses of interfaces: RTM_*ADDR. */
import { IPAddress } from 'bgp-js/ip';
import { ADDRESS_ATTRIBUTE, AF_INET6, AF_UNSPEC, FLAG, MESSAGE, SCOPE } from './constants.ts';
import { findLink, type Link } from './link.ts';
import { walkAttributes } from './message.ts';
import type { Netlink } from './netlink.ts';
import { familyOf } from './route.ts';

/** Bytes of struct ifaddrmsg. */
const ADDRESS_LENGTH = 8;

/** One address of one interface. */
export interface InterfaceAddress {
  /** Index of the interface. */
  interface: number;
  address: IPAddress;
  prefixLength: number;
}

/** Adds an address to an interface. @throws KernelError (EEXIST: it has it already) */
export function addAddress(netlink: Netlink, entry: InterfaceAddress): void {
  const bytes = entry.address.toBytes();
  netlink.request(
    `add address ${entry.address}/${entry.prefixLength} to interface ${entry.interface}`,
    MESSAGE.NEWADDR,
    FLAG.CREATE | FLAG.EXCLUSIVE,
    ADDRESS_LENGTH,
    (builder, fixed) => {
      builder.buffer[fixed] = familyOf(entry.address.version);
      builder.buffer[fixed + 1] = entry.prefixLength;
      builder.buffer[fixed + 3] = SCOPE.UNIVERSE;
      builder.buffer.writeInt32LE(entry.interface, fixed + 4);
      builder.bytes(ADDRESS_ATTRIBUTE.LOCAL, bytes);
      builder.bytes(ADDRESS_ATTRIBUTE.ADDRESS, bytes);
    },
  );
}

/** Reads an address message whose fixed part begins at `start`. */
export function parseInterfaceAddress(buffer: Buffer, start: number, end: number): InterfaceAddress | null {
  const version = buffer[start] === AF_INET6 ? 6 : 4;
  let address: IPAddress | null = null;
  walkAttributes(buffer, start + ADDRESS_LENGTH, end, (type, from, to) => {
    // On a point-to-point link ADDRESS is the other side's: LOCAL is ours wherever both are there (rtnetlink(7)).
    const own = type === ADDRESS_ATTRIBUTE.LOCAL || (type === ADDRESS_ATTRIBUTE.ADDRESS && address === null);
    if (own && to - from === (version === 4 ? 4 : 16)) address = IPAddress.read(buffer, from, version);
  });
  const index = buffer.readInt32LE(start + 4);
  return address && { interface: index, address, prefixLength: buffer[start + 1] };
}

/** The addresses of both families of every interface, or of the one with index `only`. @throws KernelError */
export function listAddresses(netlink: Netlink, only = 0): InterfaceAddress[] {
  const entries: InterfaceAddress[] = [];
  netlink.dump(
    'list addresses',
    MESSAGE.GETADDR,
    ADDRESS_LENGTH,
    (builder, fixed) => {
      builder.buffer[fixed] = AF_UNSPEC;
      builder.buffer.writeInt32LE(only, fixed + 4);
    },
    (type, buffer, start, end) => {
      if (type !== MESSAGE.NEWADDR || end - start < ADDRESS_LENGTH) return;
      const entry = parseInterfaceAddress(buffer, start, end);
      if (entry) entries.push(entry);
    },
  );
  return entries;
}

/**
 * The interface that holds `address`, with its MTU, or null: where the node's own address lives.
 * @throws KernelError
 */
export function addressOwner(netlink: Netlink, address: IPAddress): Link | null {
  const entry = listAddresses(netlink).find((candidate) => candidate.address.sameBits(address));
  return entry === undefined ? null : findLink(netlink, entry.interface);
}
