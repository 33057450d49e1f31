/** BGP roles (RFC 9234 §4): the relation of two speakers, which they exchange in their OPENs. */
import type { RawCapability } from './capability.ts';
import { type BgpError, bgpError, OpenError } from './error.ts';

/** A speaker's role towards its peer: `provider` is a provider of the peer. */
export type Role = 'provider' | 'customer' | 'peer' | 'rs-server' | 'rs-client';

/** The code of the capability (RFC 9234 §4.1). */
const ROLE_CAPABILITY = 9;

/** Roles by their values on the wire (RFC 9234 §4.1). */
const ROLES: readonly Role[] = ['provider', 'rs-server', 'rs-client', 'customer', 'peer'];

/** The role that the peer must have (RFC 9234 §4.2). */
const COUNTERPART: Record<Role, Role> = {
  provider: 'customer',
  customer: 'provider',
  peer: 'peer',
  'rs-server': 'rs-client',
  'rs-client': 'rs-server',
};

/** The capability with our role. */
export function roleCapability(role: Role): RawCapability {
  return { code: ROLE_CAPABILITY, value: Uint8Array.of(ROLES.indexOf(role)) };
}

/**
 * Checks the role that an external peer advertises against ours: an error when they do not fit, or when `strict` and
 * the peer advertises none. A capability with a length other than 1 is ignored.
 */
export function checkRole(raw: readonly RawCapability[], ours: Role, strict: boolean): BgpError | null {
  const values = raw.filter(({ code, value }) => code === ROLE_CAPABILITY && value.length === 1);
  const [role, ...more] = values.map(({ value }) => value[0]);
  if (role === undefined) {
    return strict
      ? bgpError(
          OpenError.roleMismatch,
          `the peer advertises no role, and roleStrict requires one (ours is ${ours})`,
        )
      : null;
  }
  if (more.some((value) => value !== role))
    return bgpError(OpenError.roleMismatch, 'the peer advertises several roles');
  if (ROLES[role] === COUNTERPART[ours]) return null;
  const name = ROLES[role] ?? `unknown role ${role}`;
  return bgpError(OpenError.roleMismatch, `the peer's role is ${name}, which does not fit our role ${ours}`);
}
