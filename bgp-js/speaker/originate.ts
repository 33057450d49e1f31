/** What a speaker originates, from text to the RIB. */
import type { Routing } from '../rib/routing.ts';
import type { Attributes } from '../wire/attributes.ts';
import { type Family, parseRoute } from '../wire/families.ts';
import type { OriginateOptions, SpeakerConfig } from './speaker-types.ts';

/** Announces a route of our own, or changes it. Throws RangeError for a prefix or attributes that are none. */
export function originate(
  routing: Routing,
  config: SpeakerConfig,
  prefix: string,
  options: OriginateOptions,
): void {
  const { as, address } = config;
  const context = { localAs: as, localId: 0, clusterId: 0, ebgp: false, fourOctetAs: true };
  const attributes: Attributes = { origin: 'IGP', asPath: [], nextHop: address, ...options };
  const { family, nlri } = parsed(prefix);
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
