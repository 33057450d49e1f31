import type { Family } from '../wire/families.ts';
import type { AttributeContext } from '../wire/scan-result.ts';
import type { FamilyRib } from './family-rib.ts';
import type { ImportRules } from './import.ts';
import type { ExportProfile } from './out/export-profile.ts';
import type { GroupMember, UpdateGroup } from './out/update-group.ts';
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
  /** The peer has sent all its routes once (End-of-RIB). */
  hasEndOfRib: boolean;
  /** The peer is sending its routes again, between the two markers of a refresh (RFC 7313). */
  refreshing: boolean;
}

/** A session as the RIB sees it. */
export interface RibSession {
  source: Source;
  context: AttributeContext;
  rules: ImportRules;
  /** The import policy whose hits count these routes already. */
  countedPolicy?: number;
  ribFamilies: ReadonlyMap<Family, RibSessionFamily>;
  /** The same as a list, which is read with every message. */
  ribFamilyList: readonly RibSessionFamily[];
}
