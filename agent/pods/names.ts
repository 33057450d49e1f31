/** Names and MAC addresses of a pod's link. They are computed from the attachment, so they need no record. */
import { createHash } from 'node:crypto';
import { type AttachmentId, ownerKey } from '../ipam/store.ts';

/** Prefix of the names of the host's ends of pods' links; interfaces with other names are not ours. */
export const HOST_LINK_PREFIX = 'fr';

/** Matches the names of the host links that we create. */
export const HOST_LINK_NAME = new RegExp(`^${HOST_LINK_PREFIX}[0-9a-f]{13}$`);

function digest(owner: AttachmentId): Buffer {
  return createHash('sha256').update(ownerKey(owner)).digest();
}

/** Name of the link's end on the host: `fr` and 13 hex digits, which are the 15 bytes that IFNAMSIZ allows. */
export function hostLinkName(owner: AttachmentId): string {
  return HOST_LINK_PREFIX + digest(owner).toString('hex').slice(0, 13);
}

/**
 * MAC addresses of both ends, unicast and locally administered (IEEE 802). We set them at creation because udev's
 * MACAddressPolicy=persistent replaces addresses that the kernel chose, and our neighbour entries would not follow.
 */
export function linkMacs(owner: AttachmentId): { host: string; pod: string } {
  const bytes = digest(owner);
  const mac = (from: number): string => {
    const six = Buffer.from(bytes.subarray(from, from + 6));
    six[0] = (six[0] & 0xfc) | 0x02;
    return six.toString('hex').replace(/..(?!$)/g, '$&:');
  };
  return { host: mac(16), pod: mac(24) };
}
