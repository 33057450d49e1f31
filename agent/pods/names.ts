/** Names and MAC addresses of a pod's link: functions of its owner, so that they can be found again without a record. */
import { createHash } from 'node:crypto';
import { ownerKey } from '../ipam/store.ts';
import { HOST_LINK_PREFIX } from '../kernel/link.ts';

/** Matches the name of every host link we make. */
export const HOST_LINK_NAME = new RegExp(`^${HOST_LINK_PREFIX}[0-9a-f]{13}$`);

function digest(owner: { containerId: string; ifname: string }): Buffer {
  return createHash('sha256').update(ownerKey(owner)).digest();
}

/** Name of the link's end on the host: `fr` and 13 hex digits, the 15 bytes that IFNAMSIZ leaves. */
export function hostLinkName(owner: { containerId: string; ifname: string }): string {
  return HOST_LINK_PREFIX + digest(owner).toString('hex').slice(0, 13);
}

/**
 * MAC addresses of both ends, unicast and locally administered (IEEE 802). Given at creation, as udev's
 * MACAddressPolicy=persistent replaces those that the kernel picked, behind our neighbour entries' back.
 */
export function linkMacs(owner: { containerId: string; ifname: string }): { host: string; pod: string } {
  const bytes = digest(owner);
  const mac = (from: number): string => {
    const six = Buffer.from(bytes.subarray(from, from + 6));
    six[0] = (six[0] & 0xfc) | 0x02;
    return six.toString('hex').replace(/..(?!$)/g, '$&:');
  };
  return { host: mac(16), pod: mac(24) };
}
