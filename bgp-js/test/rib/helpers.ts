/** Shared by the tests of the RIB. */

import { FamilyRib } from '../../rib/family-rib.ts';
import type { ExportProfile } from '../../rib/out/export-profile.ts';
import { LOCAL_SOURCE, type Source, SourceTable } from '../../rib/source.ts';
import { AttributeTable, AttrsKind } from '../../rib/store/attribute-table.ts';
import { scanAttributes } from '../../wire/attribute-scan.ts';
import { type Attributes, encodeAttributes } from '../../wire/attributes.ts';
import { IPV4_UNICAST } from '../../wire/families.ts';
import { AttributeScan } from '../../wire/scan-result.ts';
import { ip, prefix } from '../ip/values.ts';

export const CONTEXT = { ebgp: false, fourOctetAs: true, localAs: 64512, localId: 1, clusterId: 1 };

/** The NLRI of a prefix in text form. */
export function nlri(text: string): Uint8Array {
  return prefix(text).toNlri();
}

/** A set of attributes in `table`, from a path and whatever else is given. */
export function makeSet(table: AttributeTable, fields: Partial<Attributes> = {}): number {
  const attributes: Attributes = { origin: 'IGP', asPath: [], nextHop: '10.0.0.9', ...fields };
  const bytes = encodeAttributes(attributes);
  const known = table.find(AttrsKind.internal, bytes, 0, bytes.length);
  if (known !== 0) return known;
  const scan = new AttributeScan();
  scanAttributes(bytes, 0, bytes.length, CONTEXT, scan);
  if (scan.error) throw new Error(scan.error.text);
  return table.add(AttrsKind.internal, bytes, 0, bytes.length, scan, LOCAL_SOURCE);
}

export function makeRib(): { rib: FamilyRib; attributes: AttributeTable; sources: SourceTable } {
  const attributes = new AttributeTable();
  const sources = new SourceTable('local');
  return { rib: new FamilyRib(IPV4_UNICAST, attributes, sources), attributes, sources };
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

export const TREATMENT: ExportProfile = {
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
