/** Addresses of interfaces: RTM_*ADDR. */
import { IPAddress } from 'bgp-js/ip';
import { type AddressMessage, fillWith, formatAddressMessage, parseAddressMessage } from './codec.ts';
import { AF_INET6, AF_UNSPEC, FLAG, MESSAGE, SCOPE } from './constants.ts';
import { findLink, type Link } from './link.ts';
import type { Netlink } from './netlink.ts';
import { familyOf } from './route.ts';

/** One address of one interface. */
export interface AssignedAddress {
  /** Index of the interface. */
  interface: number;
  address: IPAddress;
  prefixLength: number;
}

/** Adds an address to an interface. @throws KernelError (EEXIST: it has it already) */
export function addAddress(netlink: Netlink, entry: AssignedAddress): void {
  const { address, prefixLength, interface: index } = entry;
  const bytes = Buffer.from(address.toBytes());
  const message: AddressMessage = {
    kind: 'address',
    data: { family: familyOf(address.version), prefixlen: prefixLength, scope: SCOPE.UNIVERSE, index },
    attrs: { local: bytes, address: bytes },
  };
  netlink.request(
    `add address ${address}/${prefixLength} to interface ${index}`,
    MESSAGE.NEWADDR,
    FLAG.CREATE | FLAG.EXCLUSIVE,
    0,
    fillWith(formatAddressMessage, message),
  );
}

/** The addresses of both families of every interface, or of the one with index `only`. @throws KernelError */
export function listAddresses(netlink: Netlink, only = 0): AssignedAddress[] {
  const entries: AssignedAddress[] = [];
  const filter: AddressMessage = { kind: 'address', data: { family: AF_UNSPEC, index: only }, attrs: {} };
  netlink.dump(
    'list addresses',
    MESSAGE.GETADDR,
    0,
    fillWith(formatAddressMessage, filter),
    (type, buffer, start, end) => {
      if (type !== MESSAGE.NEWADDR) return;
      const { data, attrs } = parseAddressMessage(buffer.subarray(start, end));
      // On a point-to-point link ADDRESS is the peer's: LOCAL is ours wherever both are present (rtnetlink(7)).
      const bytes = attrs.local ?? attrs.address;
      if (bytes === undefined) return;
      const address = IPAddress.read(bytes, 0, data.family === AF_INET6 ? 6 : 4);
      entries.push({ interface: data.index ?? 0, address, prefixLength: data.prefixlen ?? 0 });
    },
  );
  return entries;
}

/** The interface that holds `address`, or null: where the node's own address lives. @throws KernelError */
export function addressOwner(netlink: Netlink, address: IPAddress): Link | null {
  const entry = listAddresses(netlink).find((candidate) => candidate.address.sameBits(address));
  return entry === undefined ? null : findLink(netlink, entry.interface);
}
