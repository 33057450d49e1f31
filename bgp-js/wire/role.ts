/** BGP roles (RFC 9234 §4): what two speakers are to each other, said in their OPENs. */
import type { RawCapability } from './capability.ts';
import { type BgpError, bgpError } from './error.ts';

/** What a speaker is to its peer. */
export type Role = 'provider' | 'customer' | 'peer' | 'rs-server' | 'rs-client';

export const ROLE_CAPABILITY = 9;

/** Roles by their values on the wire (RFC 9234 §4.1). */
const ROLES: readonly Role[] = ['provider', 'rs-server', 'rs-client', 'customer', 'peer'];

/** What the other side has to be (RFC 9234 §4.2). */
const COUNTERPART: Record<Role, Role> = {
  provider: 'customer',
  customer: 'provider',
  peer: 'peer',
  'rs-server': 'rs-client',
  'rs-client': 'rs-server',
};

/** The capability that says what we are to the peer. */
export function roleCapability(role: Role): RawCapability {
  return { code: ROLE_CAPABILITY, value: Uint8Array.of(ROLES.indexOf(role)) };
}

/**
 * Judges what the peer of an eBGP session says of its role, against ours: an error when they do not fit, or when
 * `strict` and it says nothing. A capability of another length than 1 says nothing.
 */
export function checkRole(raw: readonly RawCapability[], ours: Role, strict: boolean): BgpError | null {
  const values = raw.filter(({ code, value }) => code === ROLE_CAPABILITY && value.length === 1);
  const [said, ...more] = values.map(({ value }) => value[0]);
  if (said === undefined) {
    return strict
      ? bgpError(2, 11, `the peer does not say its role, and roles are strict (we: ${ours})`)
      : null;
  }
  if (more.some((value) => value !== said)) return bgpError(2, 11, 'the peer says several roles');
  if (ROLES[said] === COUNTERPART[ours]) return null;
  const exported = ROLES[said] ?? `unknown role ${said}`;
  return bgpError(2, 11, `the peer is ${exported} to us, and we are ${ours} to it`);
}
