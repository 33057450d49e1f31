/** Shared by the tests of the RIB. */

import { FamilyRib } from '../../rib/family-rib.ts';
import type { ExportProfile } from '../../rib/out/export-profile.ts';
import { type Source, SourceTable } from '../../rib/source.ts';
import { AttributeTable, AttrsKind } from '../../rib/store/attribute-table.ts';
import { drawHashKey } from '../../rib/store/hash-table.ts';
import { type AttrsId, LOCAL_SOURCE, NO_ATTRS } from '../../rib/store/ids.ts';
import { PathState } from '../../rib/store/path-table.ts';
import { scanAttributes } from '../../wire/attribute-scan.ts';
import { type Attributes, encodeAttributes } from '../../wire/attributes.ts';
import { IPV4_UNICAST } from '../../wire/families.ts';
import { AttributeScan } from '../../wire/scan-result.ts';
import { ip, prefix } from '../ip/values.ts';

const CONTEXT = { ebgp: false, fourOctetAs: true, localAs: 64512, localId: 1, clusterId: 1 };

/** A key for hash tables, the same in every run. */
export const HASH_KEY = drawHashKey(() => 0.5);

/** The NLRI of a prefix in text form. */
export function nlri(text: string): Uint8Array {
  return prefix(text).toNlri();
}

/** A set of attributes in `table`, from a path and whatever else is given. */
export function makeSet(table: AttributeTable, fields: Partial<Attributes> = {}): AttrsId {
  const attributes: Attributes = { origin: 'IGP', asPath: [], nextHop: '10.0.0.9', ...fields };
  const bytes = encodeAttributes(attributes);
  const known = table.find(AttrsKind.internal, bytes, 0, bytes.length);
  if (known !== NO_ATTRS) return known;
  const scan = new AttributeScan();
  scanAttributes({ bytes, start: 0, end: bytes.length, context: CONTEXT }, scan);
  if (scan.error) throw new Error(scan.error.text);
  return table.add({
    kind: AttrsKind.internal,
    bytes,
    start: 0,
    end: bytes.length,
    scan,
    chargedSource: LOCAL_SOURCE,
  });
}

export function makeRib(): { rib: FamilyRib; attributes: AttributeTable; sources: SourceTable } {
  const attributes = new AttributeTable(HASH_KEY);
  const sources = new SourceTable('local');
  return { rib: new FamilyRib(IPV4_UNICAST, attributes, sources), attributes, sources };
}

/** Announces a route from a source, without ADD-PATH and import policy. */
export function announce(
  rib: FamilyRib,
  { index }: Source,
  bytes: Uint8Array,
  attrs: AttrsId,
  state: number = PathState.usable,
): void {
  rib.announce(bytes, 0, { source: index, attrs, received: attrs, state, addPathId: 0 });
}

let serial = 1;

export function makeSource(sources: SourceTable, fields: Partial<Source> = {}): Source {
  const n = serial++;
  return sources.add({
    kind: 2,
    name: `peer ${n}`,
    as: 64512,
    routerId: 1000 + n,
    address: ip(`10.0.${n >> 8}.${n & 255}`),
    ...fields,
  });
}

export const PROFILE: ExportProfile = {
  ebgp: false,
  client: true,
  clusterId: 7,
  localAs: 64512,
  fourOctetAs: true,
  nextHop: ip('10.0.0.1'),
  nextHop6: [],
  extendedNextHop: false,
  addPath: 0,
  maxLength: 4096,
  nextHopSelf: false,
  ownOnly: false,
};
