/** Network interfaces: RTM_*LINK. */
import { closeSync } from 'node:fs';
import {
  decodeLinkKind,
  encode,
  encodeLinkInfo,
  fillWith,
  formatLinkMessage,
  type LinkMessage,
  parseLinkMessage,
  putU32,
} from './codec.ts';
import { FLAG, LINK_SKIP_STATISTICS, MESSAGE, VETH_PEER } from './constants.ts';
import { KernelError } from './error.ts';
import { ERRNO } from './libc.ts';
import { formatMac, parseMac } from './mac.ts';
import { MessageBuilder, type Netlink } from './netlink.ts';
import { openNetns } from './netns.ts';

/** A network interface. */
export interface Link {
  index: number;
  name: string;
  /** `aa:bb:cc:dd:ee:ff`; empty when it has none. */
  mac: string;
  /** Bytes. */
  mtu: number;
  /** Administratively up. */
  up: boolean;
  /** It has a carrier: for a veth, its peer is up too. */
  running: boolean;
  /** Interface group, 0 by default. */
  group: number;
  /** `veth`, `ipip`, `vxlan`, …; empty for hardware and lo. */
  kind: string;
  /** Index of a veth's peer in the peer's own namespace; 0 when there is none. */
  peerIndex: number;
}

/** A veth pair to create: one end in the socket's namespace, the other in another one. */
export interface VethSettings {
  /** Name of the end on this side, at most 15 bytes. */
  name: string;
  /** Bytes, for both ends. */
  mtu: number;
  /** MAC address of the end on this side; the kernel chooses one when it is left out. */
  mac?: string;
  peer: { name: string; netns: string; mac?: string };
}

/** Changes of an interface; fields that are left out stay as they are. */
export interface LinkChange {
  up?: boolean;
  mtu?: number;
  name?: string;
  mac?: string;
  group?: number;
}

/** Reads a link message whose fixed part starts at `start`. @throws Error when it is malformed */
export function parseLink(buffer: Buffer, start: number, end: number): Link {
  const { data, attrs } = parseLinkMessage(buffer.subarray(start, end));
  return {
    index: data.index ?? 0,
    name: attrs.ifname ?? '',
    mac: formatMac(attrs.address ?? new Uint8Array()),
    mtu: attrs.mtu ?? 0,
    up: data.flags?.up === true,
    running: data.flags?.running === true,
    group: attrs.group ?? 0,
    kind: decodeLinkKind(attrs.linkinfo),
    peerIndex: attrs.link?.readUInt32LE() ?? 0,
  };
}

/** The interface of that name or index, or null when there is none. @throws KernelError */
export function findLink(netlink: Netlink, nameOrIndex: string | number): Link | null {
  let link: Link | null = null;
  const message =
    typeof nameOrIndex === 'number'
      ? linkMessage({ index: nameOrIndex }, { extMask: SKIP_STATISTICS })
      : linkMessage({}, { ifname: checkLinkName(nameOrIndex), extMask: SKIP_STATISTICS });
  const fill = fillWith(formatLinkMessage, message);
  try {
    netlink.request(
      `look up interface ${nameOrIndex}`,
      MESSAGE.GETLINK,
      0,
      0,
      fill,
      (type, buffer, start, end) => {
        if (type === MESSAGE.NEWLINK) link = parseLink(buffer, start, end);
      },
    );
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === ERRNO.ENODEV)) throw error;
  }
  return link;
}

/** Every interface, or those whose name starts with `prefix`. @throws KernelError */
export function listLinks(netlink: Netlink, prefix = ''): Link[] {
  const links: Link[] = [];
  const fill = fillWith(formatLinkMessage, linkMessage({}, { extMask: SKIP_STATISTICS }));
  netlink.dump('list interfaces', MESSAGE.GETLINK, 0, fill, (type, buffer, start, end) => {
    if (type !== MESSAGE.NEWLINK) return;
    const link = parseLink(buffer, start, end);
    if (link.name.startsWith(prefix)) links.push(link);
  });
  return links;
}

/**
 * Creates a veth pair and returns the end on this side. Both ends are down: an end cannot come up before its peer
 * exists, so the peer must be brought up from inside its namespace.
 * @throws KernelError (EEXIST: one of the names is in use; ENOENT: the namespace is gone)
 */
export function createVeth(netlink: Netlink, settings: VethSettings): Link {
  const { name, mtu, mac, peer } = settings;
  const netns = openNetns(peer.netns);
  try {
    const peerEnd = linkMessage({}, { ...endOf(peer.name, mtu, peer.mac), netNsFd: netns });
    const data = encode((out) => out.push(VETH_PEER, (inner) => formatLinkMessage(peerEnd, inner)));
    const message = linkMessage({}, { ...endOf(name, mtu, mac), linkinfo: encodeLinkInfo('veth', data) });
    netlink.request(
      `create interface ${name} with peer ${peer.name} in ${peer.netns}`,
      MESSAGE.NEWLINK,
      FLAG.CREATE | FLAG.EXCLUSIVE,
      0,
      fillWith(formatLinkMessage, message),
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
  const description = Object.entries(change)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');
  const { up, mtu, name, mac, group } = change;
  const flags = up === undefined ? {} : { flags: up ? UP : {}, change: UP };
  const message = linkMessage(
    { index: checkIndex(index), ...flags },
    {
      mtu,
      ifname: name === undefined ? undefined : checkLinkName(name),
      address: mac === undefined ? undefined : parseMac(mac),
      group,
    },
  );
  const fill = fillWith(formatLinkMessage, message);
  netlink.request(`set ${description} on interface ${index}`, MESSAGE.NEWLINK, 0, 0, fill);
}

/** Deletes one interface immediately, which blocks for about 20 ms; `deleteLinkGroup` does not. @throws KernelError */
export function deleteLink(netlink: Netlink, index: number): void {
  const fill = fillWith(formatLinkMessage, linkMessage({ index: checkIndex(index) }, {}));
  netlink.request(`delete interface ${index}`, MESSAGE.DELLINK, 0, 0, fill);
}

/**
 * Deletes every interface of a group on a thread of the pool: deleting one takes the kernel 20 ms, deleting a group of
 * 50 takes 32. `netlink` is busy until the promise settles, so pass a socket that has no other user.
 * Resolves to false when the group is empty. @throws KernelError
 */
export async function deleteLinkGroup(netlink: Netlink, group: number): Promise<boolean> {
  const action = `delete the interfaces of group ${group}`;
  const builder = new MessageBuilder(64);
  const fixed = builder.begin(MESSAGE.DELLINK, FLAG.REQUEST, 0);
  fillWith(formatLinkMessage, linkMessage({}, { group }))(builder, fixed);
  builder.end(0);
  const [failure] = await netlink.batch(action, builder, 1);
  if (failure?.errno === ERRNO.ENODEV) return false;
  if (failure) throw new KernelError(action, failure.errno, failure.detail);
  return true;
}

const UP = { up: true } as const;
const SKIP_STATISTICS = putU32(LINK_SKIP_STATISTICS);

function linkMessage(data: LinkMessage['data'], attrs: LinkMessage['attrs']): LinkMessage {
  return { kind: 'link', data, attrs };
}

/** The attributes of one end of a veth pair. */
function endOf(name: string, mtu: number, mac?: string): LinkMessage['attrs'] {
  return { ifname: checkLinkName(name), mtu, address: mac === undefined ? undefined : parseMac(mac) };
}

/** The kernel would read index 0 as "the interface with this name or group". */
function checkIndex(index: number): number {
  if (!Number.isInteger(index) || index <= 0) throw new TypeError(`${index} is not an interface index`);
  return index;
}

/** The rules of dev_valid_name() in the kernel. */
export function checkLinkName(name: string): string {
  if (name === '' || name === '.' || name === '..' || Buffer.byteLength(name) > 15 || /[/:\s\0]/.test(name)) {
    throw new TypeError(`"${name}" is not an interface name (1–15 bytes, no "/", ":" or white space)`);
  }
  return name;
}
