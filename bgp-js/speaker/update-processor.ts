/** From an UPDATE's bytes to the RIB: the fields are judged (RFC 4271 §6.3, RFC 4760, RFC 7606), then carried out. */

import type { RibSession, RibSessionFamily } from '../rib/rib-session.ts';
import type { Routing } from '../rib/routing.ts';
import { NO_ATTRS } from '../rib/store/attribute-table.ts';
import type { ReceivedAttributes } from '../rib/store/intern.ts';
import { readU16 } from '../wire/cursor.ts';
import { type BgpError, bgpError } from '../wire/error.ts';
import { type Family, familyOf, IPV4_UNICAST } from '../wire/families.ts';
import { isValidNlri, PATH_ID_LENGTH } from '../wire/nlri.ts';
import { emptySections, splitUpdate } from '../wire/update.ts';

/** What became of an UPDATE. */
export interface UpdateOutcome {
  /** The session has to end with this NOTIFICATION. */
  reset: BgpError | null;
  /** A defect that was dealt with: routes withdrawn or an attribute dropped. */
  defect: BgpError | null;
  /** It was the End-of-RIB marker of this family. */
  endOfRib: Family | null;
}

/** Routes in a multiprotocol attribute: whose, and where. */
interface MpRoutes {
  ribFamily: RibSessionFamily;
  start: number;
  end: number;
}

export class UpdateProcessor {
  private readonly routing: Routing;
  private readonly sections = emptySections();

  constructor(routing: Routing) {
    this.routing = routing;
  }

  /** Processes the UPDATE whose body lies between `start` and `end`. */
  process(ribSession: RibSession, bytes: Uint8Array, start: number, end: number): UpdateOutcome {
    const { sections } = this;
    const outcome: UpdateOutcome = { reset: null, defect: null, endOfRib: null };
    const usesUpdateFields = ribSession.ribFamilies.get(IPV4_UNICAST) ?? null;
    outcome.reset = splitUpdate(bytes, start, end, sections) ?? this.checkNlri(bytes, usesUpdateFields);
    if (outcome.reset) return outcome;
    const { withdrawnStart, withdrawnEnd, attributesStart, attributesEnd, nlriStart, nlriEnd } = sections;
    if (nlriEnd === nlriStart && attributesEnd === attributesStart) {
      if (withdrawnEnd === withdrawnStart) outcome.endOfRib = IPV4_UNICAST;
      if (usesUpdateFields)
        this.routing.withdraw(ribSession, usesUpdateFields, bytes, withdrawnStart, withdrawnEnd);
      return outcome;
    }
    this.processAttributes(ribSession, usesUpdateFields, bytes, outcome);
    return outcome;
  }

  private checkNlri(bytes: Uint8Array, usesUpdateFields: RibSessionFamily | null): BgpError | null {
    const { withdrawnStart, withdrawnEnd, nlriStart, nlriEnd } = this.sections;
    const pathIdBytes = usesUpdateFields?.receivesPathIds ? PATH_ID_LENGTH : 0;
    if (!isValidNlri(bytes, withdrawnStart, withdrawnEnd, IPV4_UNICAST.bits, pathIdBytes)) {
      return bgpError(3, 10, 'the withdrawn routes hold a prefix that is too long or cut off');
    }
    if (!isValidNlri(bytes, nlriStart, nlriEnd, IPV4_UNICAST.bits, pathIdBytes)) {
      return bgpError(3, 10, 'the NLRI holds a prefix that is too long or cut off');
    }
    return null;
  }

  private processAttributes(
    ribSession: RibSession,
    usesUpdateFields: RibSessionFamily | null,
    bytes: Uint8Array,
    outcome: UpdateOutcome,
  ): void {
    const { routing, sections } = this;
    const { interner } = routing;
    const { withdrawnStart, withdrawnEnd, attributesStart, attributesEnd, nlriStart, nlriEnd } = sections;
    const hasClassic = nlriEnd > nlriStart;
    const received: ReceivedAttributes = {
      bytes,
      start: attributesStart,
      end: attributesEnd,
      context: ribSession.context,
      usesUpdateFields: hasClassic,
      chargedSource: ribSession.source.index,
    };
    const attrs = interner.validate(received);
    const { reachStart, reachEnd, unreachStart, unreachEnd } = interner.multiprotocol;
    this.note(outcome, interner.error, hasClassic || reachStart !== 0);
    const reach =
      reachStart === 0 ? null : this.locateReach(ribSession, bytes, reachStart, reachEnd, outcome);
    const unreach =
      unreachStart === 0 ? null : this.locateUnreach(ribSession, bytes, unreachStart, unreachEnd, outcome);
    if (outcome.reset) return routing.drop(attrs);
    if (usesUpdateFields) routing.withdraw(ribSession, usesUpdateFields, bytes, withdrawnStart, withdrawnEnd);
    if (unreach) routing.withdraw(ribSession, unreach.ribFamily, bytes, unreach.start, unreach.end);
    if (usesUpdateFields && hasClassic) {
      if (attrs === NO_ATTRS) routing.withdraw(ribSession, usesUpdateFields, bytes, nlriStart, nlriEnd);
      else routing.announce(ribSession, usesUpdateFields, bytes, nlriStart, nlriEnd, attrs);
    }
    if (reach) this.reach(ribSession, reach, received, outcome);
    routing.drop(attrs);
    const onlyUnreach = unreach && !hasClassic && !reach && withdrawnEnd === withdrawnStart;
    if (onlyUnreach && unreach.end === unreach.start) outcome.endOfRib = unreach.ribFamily.rib.family;
  }

  /** Carries out the routes of MP_REACH_NLRI. */
  private reach(
    ribSession: RibSession,
    routes: MpRoutes,
    received: ReceivedAttributes,
    outcome: UpdateOutcome,
  ): void {
    const { routing } = this;
    const { ribFamily, start, end } = routes;
    const { bytes } = received;
    const withdrawn = outcome.defect?.handling === 'treat-as-withdraw';
    const attrs = withdrawn ? NO_ATTRS : routing.interner.multiprotocolSet(received);
    if (attrs === NO_ATTRS) routing.withdraw(ribSession, ribFamily, bytes, start, end);
    else routing.announce(ribSession, ribFamily, bytes, start, end, attrs);
    routing.drop(attrs);
  }

  /** Sorts a defect of the attributes into the outcome. */
  private note(outcome: UpdateOutcome, error: BgpError | null, hasRoutes: boolean): void {
    if (!error) return;
    if (error.handling === 'reset') outcome.reset = error;
    else if (error.handling === 'treat-as-withdraw' && !hasRoutes) {
      // RFC 7606 §5.2: without routes it is not known which ones to withdraw.
      outcome.reset = { ...error, handling: 'reset' };
    } else outcome.defect = error;
  }

  /** AFI, SAFI, next hop, a reserved octet, routes (RFC 4760 §3); the lengths fit. Null: not negotiated, ignored. */
  private locateReach(
    ribSession: RibSession,
    bytes: Uint8Array,
    from: number,
    to: number,
    outcome: UpdateOutcome,
  ): MpRoutes | null {
    const ribFamily = channelAt(ribSession, bytes, from);
    if (!ribFamily) return null;
    const length = bytes[from + 3];
    const { family } = ribFamily.rib;
    const sound = length === 16 || length === 32 || (length === 4 && family.usesUpdateFields);
    if (!sound) {
      outcome.reset ??= bgpError(3, 1, `MP_REACH_NLRI: a next hop of ${length} octets for ${family.name}`);
    }
    const routes = { ribFamily, start: from + 5 + length, end: to };
    this.checkMp(bytes, routes, outcome);
    return routes;
  }

  /** AFI, SAFI, routes (RFC 4760 §4). */
  private locateUnreach(
    ribSession: RibSession,
    bytes: Uint8Array,
    from: number,
    to: number,
    outcome: UpdateOutcome,
  ): MpRoutes | null {
    const ribFamily = channelAt(ribSession, bytes, from);
    if (!ribFamily) return null;
    const routes = { ribFamily, start: from + 3, end: to };
    this.checkMp(bytes, routes, outcome);
    return routes;
  }

  private checkMp(bytes: Uint8Array, { ribFamily, start, end }: MpRoutes, outcome: UpdateOutcome): void {
    const { family } = ribFamily.rib;
    const pathIdBytes = ribFamily.receivesPathIds ? PATH_ID_LENGTH : 0;
    if (isValidNlri(bytes, start, end, family.bits, pathIdBytes)) return;
    outcome.reset ??= bgpError(3, 9, `a prefix of ${family.name} is too long or cut off`);
  }
}

/** The channel that a multiprotocol attribute's first three octets name. */
function channelAt(ribSession: RibSession, bytes: Uint8Array, at: number): RibSessionFamily | null {
  const family = familyOf(readU16(bytes, at), bytes[at + 2]);
  return (family && ribSession.ribFamilies.get(family)) ?? null;
}
