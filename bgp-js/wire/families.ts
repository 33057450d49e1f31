/** The address families of this library. */
import type { Family } from './families/family.ts';
import { IPV4_UNICAST } from './families/ipv4-unicast.ts';
import { IPV6_UNICAST } from './families/ipv6-unicast.ts';

export { type Family, IPV4_UNICAST, IPV6_UNICAST };

export const FAMILIES: readonly Family[] = [IPV4_UNICAST, IPV6_UNICAST];

/** The family of these numbers, or undefined when this library does not know it. */
export function familyOf(afi: number, safi: number): Family | undefined {
  return FAMILIES.find((family) => family.afi === afi && family.safi === safi);
}

/** The family of this name, e.g. `ipv6-unicast`. */
export function familyNamed(name: string): Family | undefined {
  return FAMILIES.find((family) => family.name === name);
}

/** The family and the NLRI of a prefix in text form, or null when it is none that this library knows. */
export function parseRoute(text: string): { family: Family; nlri: Uint8Array } | null {
  for (const family of FAMILIES) {
    const nlri = family.parse(text);
    if (nlri) return { family, nlri };
  }
  return null;
}
