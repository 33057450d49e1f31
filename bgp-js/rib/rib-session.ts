import type { Family } from '../wire/families.ts';
import type { AttributeContext } from '../wire/scan-result.ts';
import type { FamilyRib } from './family-rib.ts';
import type { ImportRules } from './import.ts';
import type { ExportProfile } from './out/export-profile.ts';
import type { GroupMember } from './out/group-member.ts';
import type { UpdateGroup } from './out/update-group.ts';
import type { Source, SourceFields } from './source.ts';

/** How a session exchanges the routes of one address family. */
export interface RibSessionTerms {
  family: Family;
  profile: ExportProfile;
  /** The peer sends path identifiers (RFC 7911). */
  receivesPathIds: boolean;
}

/** What `Routing.openSession` starts a session with. */
export interface RibSessionOptions {
  source: SourceFields;
  context: AttributeContext;
  rules: ImportRules;
  families: readonly RibSessionTerms[];
}

/** A field of NLRI in a received message: prefixes of one family, from offset `start` to before `end`. */
export interface NlriField {
  ribFamily: RibSessionFamily;
  bytes: Uint8Array;
  start: number;
  end: number;
}

/** One address family of a session, as the RIB sees it. */
export interface RibSessionFamily {
  rib: FamilyRib;
  receivesPathIds: boolean;
  group: UpdateGroup;
  member: GroupMember;
  /** The peer has told all its routes once (End-of-RIB). */
  heardAll: boolean;
  /** The peer tells them again, and will say when that is done (RFC 7313). */
  refreshing: boolean;
}

/** A session as the RIB sees it. */
export interface RibSession {
  source: Source;
  context: AttributeContext;
  rules: ImportRules;
  /** The number of the import policy on whose rules the hits of these routes are counted already. */
  countedPolicy?: number;
  ribFamilies: ReadonlyMap<Family, RibSessionFamily>;
  /** The same in a row, for the way of every message. */
  ribFamilyList: readonly RibSessionFamily[];
}
