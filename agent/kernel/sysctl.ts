/**
 * Network sysctls, below /proc/sys/net. They belong to the namespace of the calling thread, so these functions also work
 * inside `withNetns`. They are synchronous, because /proc answers at once.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { KernelError } from './error.ts';
import { checkLinkName } from './link.ts';

/** How strictly a packet's source must be reachable over the interface that received it (RFC 3704). */
export type ReversePathFilter = 'off' | 'strict' | 'loose';

const FILTERS: readonly ReversePathFilter[] = ['off', 'strict', 'loose'];

/** The value of `net/…`, e.g. `readSysctl('ipv4/ip_forward')`. @throws KernelError */
export function readSysctl(key: string): string {
  return attempt(`read sysctl net/${key}`, () => readFileSync(`/proc/sys/net/${key}`, 'utf8').trim());
}

/** Sets `net/…`. @throws KernelError */
export function writeSysctl(key: string, value: string | number): void {
  attempt(`set sysctl net/${key} to ${value}`, () => writeFileSync(`/proc/sys/net/${key}`, `${value}\n`));
}

/** Whether the node forwards IPv4 packets between its interfaces. */
export function isForwarding(): boolean {
  return readSysctl('ipv4/ip_forward') === '1';
}

/** Turns IPv4 forwarding on; true when it was off. */
export function enableForwarding(): boolean {
  if (isForwarding()) return false;
  writeSysctl('ipv4/ip_forward', 1);
  return true;
}

/** Sets the reverse-path filter of one interface, or of `all`. */
export function setReversePathFilter(name: string, filter: ReversePathFilter): void {
  writeSysctl(`ipv4/conf/${checkLinkName(name)}/rp_filter`, FILTERS.indexOf(filter));
}

/** The configured reverse-path filter of one interface, or of `all`. */
export function getReversePathFilter(name: string): ReversePathFilter {
  return FILTERS[Number(readSysctl(`ipv4/conf/${checkLinkName(name)}/rp_filter`))] ?? 'off';
}

/**
 * The reverse-path filter in effect on an interface. The kernel uses the larger value of `all` and of the interface
 * (ip-sysctl): loose for `all` turns strict into loose.
 */
export function effectiveReversePathFilter(name: string): ReversePathFilter {
  const values = [getReversePathFilter('all'), getReversePathFilter(name)];
  return FILTERS[Math.max(...values.map((value) => FILTERS.indexOf(value)))];
}

function attempt<T>(action: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).errno;
    if (errno === undefined) throw error;
    throw new KernelError(action, -errno);
  }
}
