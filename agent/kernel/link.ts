/** Network interfaces: RTM_*LINK, veth pairs, and the graveyard from which deleted ones are reaped. */
import { closeSync } from 'node:fs';
import { FLAG, INTERFACE_FLAG, LINK_ATTRIBUTE, LINK_SKIP_STATISTICS, MESSAGE } from './constants.ts';
import { KernelError } from './error.ts';
import { ERRNO } from './libc.ts';
import { formatMac, parseMac } from './mac.ts';
import { MessageBuilder, readString, readUint32, walkAttributes } from './message.ts';
import type { Netlink } from './netlink.ts';
import { openNetns } from './netns.ts';

/** Bytes of struct ifinfomsg. */
const LINK_LENGTH = 16;

/** Names of the host's ends of pods' links begin so; interfaces with other names are not ours. */
export const HOST_LINK_PREFIX = 'fr';

/** Interface group of links that wait to be deleted: "fr" and the route protocol, unlikely to be anybody's. */
export const GRAVEYARD_GROUP = 0x66720179;

/** A network interface as the kernel shows it. */
export interface Link {
  index: number;
  name: string;
  /** `aa:bb:cc:dd:ee:ff`; empty when it has none. */
  mac: string;
  /** Bytes. */
  mtu: number;
  /** IFF_* of linux/if.h. */
  flags: number;
  /** Administratively up. */
  up: boolean;
  /** It has a carrier too: for a veth, its peer is up. */
  running: boolean;
  /** Interface group, 0 by default. */
  group: number;
  /** `veth`, `ipip`, `vxlan`, …; empty for hardware and lo. */
  kind: string;
  /** Index of a veth's peer in the peer's own namespace; 0 when there is none. */
  peerIndex: number;
}

/** A veth pair to be made: one end here, the other straight in another namespace. */
export interface VethSettings {
  /** Name of the end on this side, at most 15 bytes. */
  name: string;
  /** Bytes, for both ends. */
  mtu: number;
  /** MAC address of the end on this side; the kernel picks one when it is left out. */
  mac?: string;
  peer: { name: string; netns: string; mac?: string };
}

/** What `setLink` changes; what is left out stays. */
export interface LinkChange {
  up?: boolean;
  mtu?: number;
  name?: string;
  mac?: string;
  group?: number;
}

/** Reads a link message whose fixed part begins at `start`. */
export function parseLink(buffer: Buffer, start: number, end: number): Link {
  const flags = buffer.readUInt32LE(start + 8);
  const link: Link = {
    index: buffer.readInt32LE(start + 4),
    name: '',
    mac: '',
    mtu: 0,
    flags,
    up: (flags & INTERFACE_FLAG.UP) !== 0,
    running: (flags & INTERFACE_FLAG.RUNNING) !== 0,
    group: 0,
    kind: '',
    peerIndex: 0,
  };
  walkAttributes(buffer, start + LINK_LENGTH, end, (type, from, to) => {
    if (type === LINK_ATTRIBUTE.NAME) link.name = readString(buffer, from, to);
    else if (type === LINK_ATTRIBUTE.ADDRESS) link.mac = formatMac(buffer.subarray(from, to));
    else if (type === LINK_ATTRIBUTE.MTU) link.mtu = readUint32(buffer, from, to);
    else if (type === LINK_ATTRIBUTE.GROUP) link.group = readUint32(buffer, from, to);
    else if (type === LINK_ATTRIBUTE.LINK) link.peerIndex = readUint32(buffer, from, to);
    else if (type === LINK_ATTRIBUTE.LINK_INFO) {
      walkAttributes(buffer, from, to, (inner, innerFrom, innerTo) => {
        if (inner === LINK_ATTRIBUTE.INFO_KIND) link.kind = readString(buffer, innerFrom, innerTo);
      });
    }
  });
  return link;
}

/** The interface of that name or index, or null when there is none. @throws KernelError */
export function findLink(netlink: Netlink, nameOrIndex: string | number): Link | null {
  let link: Link | null = null;
  const fill = (builder: MessageBuilder, fixed: number) => {
    if (typeof nameOrIndex === 'number') builder.buffer.writeInt32LE(nameOrIndex, fixed + 4);
    else builder.string(LINK_ATTRIBUTE.NAME, checkLinkName(nameOrIndex));
    builder.uint32(LINK_ATTRIBUTE.EXT_MASK, LINK_SKIP_STATISTICS);
  };
  try {
    netlink.request(
      `look up interface ${nameOrIndex}`,
      MESSAGE.GETLINK,
      0,
      LINK_LENGTH,
      fill,
      (type, buffer, start, end) => {
        if (type === MESSAGE.NEWLINK && end - start >= LINK_LENGTH) link = parseLink(buffer, start, end);
      },
    );
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === ERRNO.ENODEV)) throw error;
  }
  return link;
}

/** Every interface, or those whose name begins with `prefix`. @throws KernelError */
export function listLinks(netlink: Netlink, prefix = ''): Link[] {
  const links: Link[] = [];
  const fill = (builder: MessageBuilder) => builder.uint32(LINK_ATTRIBUTE.EXT_MASK, LINK_SKIP_STATISTICS);
  netlink.dump('list interfaces', MESSAGE.GETLINK, LINK_LENGTH, fill, (type, buffer, start, end) => {
    if (type !== MESSAGE.NEWLINK || end - start < LINK_LENGTH) return;
    const link = parseLink(buffer, start, end);
    if (link.name.startsWith(prefix)) links.push(link);
  });
  return links;
}

/**
 * Makes a veth pair and returns the end on this side. Both ends are down: an end cannot come up before its peer
 * exists, so the peer is brought up from inside its namespace (`configurePodInterface`).
 * @throws KernelError (EEXIST: one of the names is taken; ENOENT: the namespace is gone)
 */
export function createVeth(netlink: Netlink, settings: VethSettings): Link {
  const { name, mtu, mac, peer } = settings;
  checkLinkName(name);
  checkLinkName(peer.name);
  const netns = openNetns(peer.netns);
  try {
    netlink.request(
      `create interface ${name} with peer ${peer.name} in ${peer.netns}`,
      MESSAGE.NEWLINK,
      FLAG.CREATE | FLAG.EXCLUSIVE,
      LINK_LENGTH,
      (builder) => {
        writeEnd(builder, name, mtu, mac);
        builder.nest(LINK_ATTRIBUTE.LINK_INFO, () => {
          builder.string(LINK_ATTRIBUTE.INFO_KIND, 'veth');
          builder.nest(LINK_ATTRIBUTE.INFO_DATA, () => {
            builder.nest(LINK_ATTRIBUTE.VETH_PEER, () => {
              builder.raw(Buffer.alloc(LINK_LENGTH));
              writeEnd(builder, peer.name, mtu, peer.mac);
              builder.uint32(LINK_ATTRIBUTE.NETNS_FD, netns);
            });
          });
        });
      },
    );
  } finally {
    closeSync(netns);
  }
  const link = findLink(netlink, name);
  if (link === null) throw new KernelError(`find interface ${name} just created`, ERRNO.ENODEV);
  return link;
}

/** Changes an interface. @throws KernelError (ENODEV: there is none of that index) */
export function setLink(netlink: Netlink, index: number, change: LinkChange): void {
  const what = Object.entries(change)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');
  netlink.request(`set ${what} on interface ${index}`, MESSAGE.NEWLINK, 0, LINK_LENGTH, (builder, fixed) => {
    checkIndex(index);
    builder.buffer.writeInt32LE(index, fixed + 4);
    if (change.up !== undefined) {
      builder.buffer.writeUInt32LE(change.up ? INTERFACE_FLAG.UP : 0, fixed + 8);
      builder.buffer.writeUInt32LE(INTERFACE_FLAG.UP, fixed + 12);
    }
    if (change.mtu !== undefined) builder.uint32(LINK_ATTRIBUTE.MTU, change.mtu);
    if (change.name !== undefined) builder.string(LINK_ATTRIBUTE.NAME, checkLinkName(change.name));
    if (change.mac !== undefined) builder.bytes(LINK_ATTRIBUTE.ADDRESS, parseMac(change.mac));
    if (change.group !== undefined) builder.uint32(LINK_ATTRIBUTE.GROUP, change.group);
  });
}

/** Deletes one interface at once, which blocks for about 20 ms: see `buryLink` for a way that does not. */
export function deleteLink(netlink: Netlink, index: number): void {
  netlink.request(`delete interface ${index}`, MESSAGE.DELLINK, 0, LINK_LENGTH, (builder, fixed) => {
    checkIndex(index);
    builder.buffer.writeInt32LE(index, fixed + 4);
  });
}

/**
 * Takes an interface out of service at once and leaves its deletion to `reapGraveyard`: it goes down and into the
 * graveyard's group. Its name stays taken until then. @throws KernelError (ENODEV: it is gone already)
 */
export function buryLink(netlink: Netlink, index: number): void {
  setLink(netlink, index, { up: false, group: GRAVEYARD_GROUP });
}

/**
 * Deletes every interface in the graveyard, off the event loop: deleting one takes the kernel 20 ms, deleting a
 * group of 50 takes 32. `netlink` serves nothing else until the promise settles: give it a socket of its own.
 * Resolves to false when there was nothing to delete. @throws KernelError
 */
export async function reapGraveyard(netlink: Netlink): Promise<boolean> {
  const action = 'delete the interfaces in the graveyard';
  const builder = new MessageBuilder(64);
  builder.begin(MESSAGE.DELLINK, FLAG.REQUEST, LINK_LENGTH);
  builder.uint32(LINK_ATTRIBUTE.GROUP, GRAVEYARD_GROUP);
  builder.end(0);
  const [failure] = await netlink.batch(action, builder, 1);
  if (failure?.errno === ERRNO.ENODEV) return false;
  if (failure) throw new KernelError(action, failure.errno, failure.detail);
  return true;
}

function writeEnd(builder: MessageBuilder, name: string, mtu: number, mac?: string): void {
  builder.string(LINK_ATTRIBUTE.NAME, name);
  builder.uint32(LINK_ATTRIBUTE.MTU, mtu);
  if (mac !== undefined) builder.bytes(LINK_ATTRIBUTE.ADDRESS, parseMac(mac));
}

/** Index 0 with a name or group would select other interfaces than meant. */
function checkIndex(index: number): void {
  if (!Number.isInteger(index) || index <= 0) throw new TypeError(`${index} is not an interface index`);
}

/** The rules of dev_valid_name() in the kernel. */
export function checkLinkName(name: string): string {
  if (name === '' || name === '.' || name === '..' || Buffer.byteLength(name) > 15 || /[/:\s\0]/.test(name)) {
    throw new TypeError(`"${name}" is not an interface name (1–15 bytes, no "/", ":" or white space)`);
  }
  return name;
}
