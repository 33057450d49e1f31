/**
 * Carries UPDATEs into the RIB. An UPDATE may have routes in four places: withdrawn routes and NLRI in fields of their
 * own (IPv4 unicast), and both again as the attributes MP_UNREACH_NLRI and MP_REACH_NLRI (RFC 4760) for any family.
 *
 * `process` first validates all of it, and only then changes routes. Errors have three degrees (RFC 7606): a reset
 * changes nothing, because the session ends; `treat-as-withdraw` withdraws the routes that the UPDATE would announce;
 * `discard` ignores an attribute. An UPDATE without any routes is the End-of-RIB marker of a family (RFC 4724 §2).
 *
 * The limits of what a peer may make us hold are checked after the UPDATE: `limitWarnings`, `limitExceeded`.
 */

import type { ReceivedAttributes } from '../rib/import.ts';
import type { NlriField, RibSession, RibSessionFamily } from '../rib/rib-session.ts';
import type { Routing } from '../rib/routing.ts';
import type { AttributeTable } from '../rib/store/attribute-table.ts';
import { type AttrsId, NO_ATTRS } from '../rib/store/ids.ts';
import type { ReceivedMessage } from '../session/fsm.ts';
import type { PeerConnection } from '../session/peer.ts';
import { readU16 } from '../wire/cursor.ts';
import { type BgpError, bgpError, CeaseCode, UpdateError } from '../wire/error.ts';
import { type Family, familyOf, IPV4_UNICAST } from '../wire/families.ts';
import { isValidNlri, PATH_ID_LENGTH } from '../wire/nlri.ts';
import { emptySections, splitUpdate } from '../wire/update.ts';

/** The result of an UPDATE. */
export interface UpdateOutcome {
  /** The session has to end with this NOTIFICATION. */
  reset: BgpError | null;
  /** An error that the session survives: routes were withdrawn or an attribute discarded. */
  defect: BgpError | null;
  /** The UPDATE was the End-of-RIB marker of this family. */
  endOfRib: Family | null;
}

/** The places of an UPDATE that have routes of a family that was negotiated. */
interface UpdateRoutes {
  withdrawn: NlriField | null;
  nlri: NlriField | null;
  reach: NlriField | null;
  unreach: NlriField | null;
}

/** Processes the UPDATEs of all sessions. */
export class UpdateProcessor {
  private readonly routing: Routing;
  private readonly sections = emptySections();

  constructor(routing: Routing) {
    this.routing = routing;
  }

  /** Processes an UPDATE of a session. */
  process(ribSession: RibSession, { bytes, body, end }: ReceivedMessage): UpdateOutcome {
    const { sections } = this;
    const outcome: UpdateOutcome = { reset: null, defect: null, endOfRib: null };
    outcome.reset = splitUpdate(bytes, body, end, sections);
    if (outcome.reset) return outcome;
    const ribFamily = ribSession.ribFamilies.get(IPV4_UNICAST) ?? null;
    const { withdrawnStart, withdrawnEnd, attributesStart, attributesEnd, nlriStart, nlriEnd } = sections;
    const withdrawn = { ribFamily, bytes, start: withdrawnStart, end: withdrawnEnd };
    const nlri = { ribFamily, bytes, start: nlriStart, end: nlriEnd };
    outcome.reset = checkField(withdrawn, 'withdrawn routes') ?? checkField(nlri, 'NLRI');
    if (outcome.reset) return outcome;
    const routes = {
      withdrawn: isNegotiated(withdrawn) ? withdrawn : null,
      nlri: isNegotiated(nlri) ? nlri : null,
      reach: null,
      unreach: null,
    };
    const hasNlri = nlriEnd > nlriStart;
    if (!hasNlri && attributesEnd === attributesStart) {
      if (withdrawnEnd === withdrawnStart) outcome.endOfRib = IPV4_UNICAST;
      if (routes.withdrawn) this.routing.withdraw(ribSession, routes.withdrawn);
      return outcome;
    }
    const received: ReceivedAttributes = {
      bytes,
      start: attributesStart,
      end: attributesEnd,
      context: ribSession.context,
      usesUpdateFields: hasNlri,
      chargedSource: ribSession.source.index,
    };
    this.processAttributes(ribSession, received, routes, outcome);
    return outcome;
  }

  private processAttributes(
    ribSession: RibSession,
    received: ReceivedAttributes,
    routes: UpdateRoutes,
    outcome: UpdateOutcome,
  ): void {
    const { routing } = this;
    const { interner } = routing;
    const { usesUpdateFields: hasNlri, bytes } = received;
    const attrs = interner.validate(received);
    const { reachStart, reachEnd, unreachStart, unreachEnd } = interner.multiprotocol;
    recordError(outcome, interner.error, hasNlri || reachStart !== 0);
    if (reachStart !== 0) {
      routes.reach = reachRoutes(ribSession, { bytes, start: reachStart, end: reachEnd }, outcome);
    }
    if (unreachStart !== 0) {
      routes.unreach = unreachRoutes(ribSession, { bytes, start: unreachStart, end: unreachEnd }, outcome);
    }
    if (outcome.reset) return routing.releaseAttrs(attrs);
    const { withdrawn, nlri, reach, unreach } = routes;
    // Withdrawals first: a prefix that is both withdrawn and announced is announced (RFC 4271 §4.3).
    if (withdrawn) routing.withdraw(ribSession, withdrawn);
    if (unreach) routing.withdraw(ribSession, unreach);
    if (nlri && hasNlri) this.announce(ribSession, nlri, attrs);
    routing.releaseAttrs(attrs);
    if (reach) {
      const isWithdrawn = outcome.defect?.handling === 'treat-as-withdraw';
      const reachAttrs = isWithdrawn ? NO_ATTRS : interner.multiprotocolSet(received);
      this.announce(ribSession, reach, reachAttrs);
      routing.releaseAttrs(reachAttrs);
    }
    const { withdrawnStart, withdrawnEnd } = this.sections;
    const hasOtherRoutes = hasNlri || reach !== null || withdrawnEnd !== withdrawnStart;
    if (unreach && unreach.start === unreach.end && !hasOtherRoutes) {
      outcome.endOfRib = unreach.ribFamily.rib.family;
    }
  }

  /** Announces routes with valid attributes; NO_ATTRS: treats them as withdrawn. */
  private announce(ribSession: RibSession, field: NlriField, attrs: AttrsId): void {
    if (attrs === NO_ATTRS) this.routing.withdraw(ribSession, field);
    else this.routing.announce(ribSession, field, attrs);
  }
}

/** The value of an attribute in a received message. */
type AttributeValue = Omit<NlriField, 'ribFamily'>;

/** A field of NLRI whose family may not be negotiated. */
type UncheckedField = Omit<NlriField, 'ribFamily'> & { ribFamily: RibSessionFamily | null };

/** Routes of a family that was not negotiated are ignored. */
const isNegotiated = (field: UncheckedField): field is NlriField => field.ribFamily !== null;

/** Validates an IPv4 field of the UPDATE itself (RFC 4271 §6.3). */
function checkField({ ribFamily, bytes, start, end }: UncheckedField, name: string): BgpError | null {
  const pathIdBytes = ribFamily?.receivesPathIds ? PATH_ID_LENGTH : 0;
  if (isValidNlri(bytes, start, end, IPV4_UNICAST.bits, pathIdBytes)) return null;
  return bgpError(UpdateError.invalidNetworkField, `the ${name} hold a prefix that is too long or truncated`);
}

/** Records an error of the attributes. Without routes it is not known what to withdraw: a reset (RFC 7606 §5.2). */
function recordError(outcome: UpdateOutcome, error: BgpError | null, hasRoutes: boolean): void {
  if (!error) return;
  const isReset = error.handling === 'reset' || (error.handling === 'treat-as-withdraw' && !hasRoutes);
  if (isReset) outcome.reset = { ...error, handling: 'reset' };
  else outcome.defect = error;
}

/** The routes of MP_REACH_NLRI (RFC 4760 §3): AFI, SAFI, next hop, a reserved octet, routes. The lengths are valid. */
function reachRoutes(
  ribSession: RibSession,
  { bytes, start, end }: AttributeValue,
  outcome: UpdateOutcome,
): NlriField | null {
  const ribFamily = familyAt(ribSession, bytes, start);
  if (!ribFamily) return null;
  const length = bytes[start + 3];
  const { family } = ribFamily.rib;
  const isValid = length === 16 || length === 32 || (length === 4 && family.usesUpdateFields);
  if (!isValid) {
    outcome.reset ??= bgpError(
      UpdateError.malformedAttributeList,
      `MP_REACH_NLRI: a next hop of ${length} octets for ${family.name}`,
    );
  }
  return checkMultiprotocol({ ribFamily, bytes, start: start + 5 + length, end }, outcome);
}

/** The routes of MP_UNREACH_NLRI (RFC 4760 §4): AFI, SAFI, routes. */
function unreachRoutes(
  ribSession: RibSession,
  { bytes, start, end }: AttributeValue,
  outcome: UpdateOutcome,
): NlriField | null {
  const ribFamily = familyAt(ribSession, bytes, start);
  return ribFamily && checkMultiprotocol({ ribFamily, bytes, start: start + 3, end }, outcome);
}

function checkMultiprotocol(field: NlriField, outcome: UpdateOutcome): NlriField {
  const { ribFamily, bytes, start, end } = field;
  const { family } = ribFamily.rib;
  const pathIdBytes = ribFamily.receivesPathIds ? PATH_ID_LENGTH : 0;
  if (!isValidNlri(bytes, start, end, family.bits, pathIdBytes)) {
    outcome.reset ??= bgpError(
      UpdateError.optionalAttribute,
      `a prefix of ${family.name} is too long or truncated`,
    );
  }
  return field;
}

/** The negotiated family that the first three octets of a multiprotocol attribute name, or null. */
function familyAt(ribSession: RibSession, bytes: Uint8Array, at: number): RibSessionFamily | null {
  const family = familyOf(readU16(bytes, at), bytes[at + 2]);
  return (family && ribSession.ribFamilies.get(family)) ?? null;
}

// --- limits ----------------------------------------------------------------------------------------------------------

/** Shared by all UPDATEs without a warning. */
const NO_WARNINGS: readonly string[] = [];

/** Warnings of an established session that is near a limit or above it. Each is returned once a session. */
export function limitWarnings(connection: PeerConnection): readonly string[] {
  const { source } = connection.ribSession ?? {};
  if (!source) return NO_WARNINGS;
  const { maximumPrefixes: maximum, maximumPrefixesWarning = 1 } = connection.peer.config;
  const { received, dropped } = source;
  const isNear = received > maximumPrefixesWarning * maximum && received <= maximum;
  let warnings = NO_WARNINGS;
  if (isNear && !connection.warnedNearMaximum) {
    connection.warnedNearMaximum = true;
    warnings = [`${received} of at most ${maximum} prefixes received`];
  }
  if (dropped > 0 && !connection.warnedOfDrops) {
    connection.warnedOfDrops = true;
    warnings = [...warnings, `more than ${maximum} prefixes: further routes are dropped`];
  }
  return warnings;
}

/** The NOTIFICATION for a session that holds more than it may: Cease 6/1 (RFC 4486) or 6/8; null when it does not. */
export function limitExceeded(
  { ribSession, peer }: PeerConnection,
  attributes: AttributeTable,
): BgpError | null {
  if (!ribSession) return null;
  const { source } = ribSession;
  const { maximumPrefixes: maximum, maximumAttributeOctets, maximumPrefixesAction } = peer.config;
  if (source.received > maximum && maximumPrefixesAction !== 'drop') {
    const data = Uint8Array.of(0, 1, 1, maximum >>> 24, maximum >>> 16, maximum >>> 8, maximum);
    return bgpError(
      CeaseCode.maximumPrefixes,
      `maximum prefixes exceeded: ${source.received} received, ${maximum} allowed`,
      data,
    );
  }
  const held = attributes.octetsOf(source.index);
  if (held <= maximumAttributeOctets) return null;
  return bgpError(
    CeaseCode.outOfResources,
    `maximum attribute octets exceeded: ${held} held, ${maximumAttributeOctets} allowed`,
  );
}
