import type { AttributeContext } from '../wire/attribute-scan.ts';
import type { Family } from '../wire/families.ts';
import type { FamilyRib } from './family-rib.ts';
import type { ImportRules } from './import.ts';
import type { Member } from './member.ts';
import type { Source } from './source.ts';
import type { ExportTreatment } from './treatment.ts';
import type { UpdateGroup } from './update-group.ts';

/** What a session is to be for one address family. */
export interface ChannelTerms {
  family: Family;
  treatment: ExportTreatment;
  /** The peer sends path identifiers (RFC 7911). */
  receivesPathIds: boolean;
}

/** One address family of a session, as the RIB sees it. */
export interface Channel {
  rib: FamilyRib;
  receivesPathIds: boolean;
  group: UpdateGroup;
  member: Member;
  /** The peer has told all its routes once (End-of-RIB). */
  heardAll: boolean;
  /** The peer tells them again, and will say when that is done (RFC 7313). */
  refreshing: boolean;
}

/** A session as the RIB sees it. */
export interface Attachment {
  source: Source;
  context: AttributeContext;
  rules: ImportRules;
  /** The number of the import policy on whose rules the hits of these routes are counted already. */
  countedPolicy?: number;
  channels: ReadonlyMap<Family, Channel>;
  /** The same in a row, for the way of every message. */
  channelList: readonly Channel[];
}
