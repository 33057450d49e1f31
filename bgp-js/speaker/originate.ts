/** What a speaker originates, from text to the RIB. */
import type { Routing } from '../rib/routing.ts';
import type { Attributes } from '../wire/attributes.ts';
import { type Family, parseRoute } from '../wire/families.ts';
import type { AttributeContext } from '../wire/scan-result.ts';
import type { Self } from './derive-session.ts';
import type { OriginateOptions } from './speaker-types.ts';

/** Announces a route of our own, or changes it. Throws RangeError for a prefix or attributes that are none. */
export function originate(routing: Routing, self: Self, prefix: string, options: OriginateOptions): void {
  const { family, nlri } = parsed(prefix);
  const context: AttributeContext = {
    localAs: self.as,
    localId: null,
    clusterId: null,
    ebgp: false,
    fourOctetAs: true,
    originated: true,
  };
  const nextHop = family.usesUpdateFields ? self.address?.toString() : undefined;
  const attributes: Attributes = { origin: 'IGP', asPath: [], nextHop, ...options };
  routing.originate(family, nlri, attributes, context);
}

export function withdraw(routing: Routing, prefix: string): void {
  const { family, nlri } = parsed(prefix);
  routing.withdrawOwn(family, nlri);
}

/** Ranges that only this speaker may announce; what was learned is judged anew. */
export function setOwnRanges(routing: Routing, ranges: readonly string[]): void {
  const byFamily = new Map<Family, Uint8Array[]>();
  for (const { family, nlri } of ranges.map(parsed)) {
    byFamily.set(family, [...(byFamily.get(family) ?? []), nlri]);
  }
  routing.own = { ...routing.own, ranges: byFamily };
  routing.revalidate();
}

function parsed(prefix: string): { family: Family; nlri: Uint8Array } {
  const result = parseRoute(prefix);
  if (!result) throw new RangeError(`${prefix} is no prefix of a known address family`);
  return result;
}
