/** From an UPDATE's bytes to the RIB: the fields are judged (RFC 4271 §6.3, RFC 4760, RFC 7606), then carried out. */
import { NO_SET } from './rib/attribute-table.ts';
import type { Attachment, Channel } from './rib/channel.ts';
import type { Routing } from './rib/routing.ts';
import { readU16 } from './wire/cursor.ts';
import { type BgpError, bgpError } from './wire/error.ts';
import { type Family, familyOf, IPV4_UNICAST } from './wire/families.ts';
import { PATH_ID_LENGTH, soundNlri } from './wire/prefix.ts';
import { emptySections, splitUpdate } from './wire/update.ts';

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
  channel: Channel;
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
  process(attachment: Attachment, bytes: Uint8Array, start: number, end: number): UpdateOutcome {
    const { sections } = this;
    this.routing.attributes.payer = attachment.source.index;
    const outcome: UpdateOutcome = { reset: null, defect: null, endOfRib: null };
    const classic = attachment.channels.get(IPV4_UNICAST) ?? null;
    outcome.reset = splitUpdate(bytes, start, end, sections) ?? this.checkNlri(bytes, classic);
    if (outcome.reset) return outcome;
    const { withdrawnStart, withdrawnEnd, attributesStart, attributesEnd, nlriStart, nlriEnd } = sections;
    if (nlriEnd === nlriStart && attributesEnd === attributesStart) {
      if (withdrawnEnd === withdrawnStart) outcome.endOfRib = IPV4_UNICAST;
      if (classic) this.routing.withdraw(attachment, classic, bytes, withdrawnStart, withdrawnEnd);
      return outcome;
    }
    this.processAttributes(attachment, classic, bytes, outcome);
    return outcome;
  }

  private checkNlri(bytes: Uint8Array, classic: Channel | null): BgpError | null {
    const { withdrawnStart, withdrawnEnd, nlriStart, nlriEnd } = this.sections;
    const lead = classic?.receivesPathIds ? PATH_ID_LENGTH : 0;
    if (!soundNlri(bytes, withdrawnStart, withdrawnEnd, IPV4_UNICAST.bits, lead)) {
      return bgpError(3, 10, 'the withdrawn routes hold a prefix that is too long or cut off');
    }
    if (!soundNlri(bytes, nlriStart, nlriEnd, IPV4_UNICAST.bits, lead)) {
      return bgpError(3, 10, 'the NLRI holds a prefix that is too long or cut off');
    }
    return null;
  }

  private processAttributes(
    attachment: Attachment,
    classic: Channel | null,
    bytes: Uint8Array,
    outcome: UpdateOutcome,
  ): void {
    const { routing, sections } = this;
    const { interner } = routing;
    const { withdrawnStart, withdrawnEnd, attributesStart, attributesEnd, nlriStart, nlriEnd } = sections;
    const hasClassic = nlriEnd > nlriStart;
    const { context } = attachment;
    const set = interner.judge(bytes, attributesStart, attributesEnd, context, hasClassic);
    const { reachStart, reachEnd, unreachStart, unreachEnd } = interner.multiprotocol;
    this.note(outcome, interner.error, hasClassic || reachStart !== 0);
    const reach =
      reachStart === 0 ? null : this.locateReach(attachment, bytes, reachStart, reachEnd, outcome);
    const unreach =
      unreachStart === 0 ? null : this.locateUnreach(attachment, bytes, unreachStart, unreachEnd, outcome);
    if (outcome.reset) return routing.drop(set);
    if (classic) routing.withdraw(attachment, classic, bytes, withdrawnStart, withdrawnEnd);
    if (unreach) routing.withdraw(attachment, unreach.channel, bytes, unreach.start, unreach.end);
    if (classic && hasClassic) {
      if (set === NO_SET) routing.withdraw(attachment, classic, bytes, nlriStart, nlriEnd);
      else routing.announce(attachment, classic, bytes, nlriStart, nlriEnd, set);
    }
    if (reach) this.reach(attachment, reach, bytes, outcome);
    routing.drop(set);
    const onlyUnreach = unreach && !hasClassic && !reach && withdrawnEnd === withdrawnStart;
    if (onlyUnreach && unreach.end === unreach.start) outcome.endOfRib = unreach.channel.rib.family;
  }

  /** Carries out the routes of MP_REACH_NLRI. */
  private reach(attachment: Attachment, routes: MpRoutes, bytes: Uint8Array, outcome: UpdateOutcome): void {
    const { routing, sections } = this;
    const { channel, start, end } = routes;
    const { attributesStart, attributesEnd } = sections;
    const withdrawn = outcome.defect?.handling === 'treat-as-withdraw';
    const set = withdrawn
      ? NO_SET
      : routing.interner.multiprotocolSet(bytes, attributesStart, attributesEnd, attachment.context);
    if (set === NO_SET) routing.withdraw(attachment, channel, bytes, start, end);
    else routing.announce(attachment, channel, bytes, start, end, set);
    routing.drop(set);
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
    attachment: Attachment,
    bytes: Uint8Array,
    from: number,
    to: number,
    outcome: UpdateOutcome,
  ): MpRoutes | null {
    const channel = channelAt(attachment, bytes, from);
    if (!channel) return null;
    const length = bytes[from + 3];
    const { family } = channel.rib;
    const sound = length === 16 || length === 32 || (length === 4 && family.classic);
    if (!sound) {
      outcome.reset ??= bgpError(3, 1, `MP_REACH_NLRI: a next hop of ${length} octets for ${family.name}`);
    }
    const routes = { channel, start: from + 5 + length, end: to };
    this.checkMp(bytes, routes, outcome);
    return routes;
  }

  /** AFI, SAFI, routes (RFC 4760 §4). */
  private locateUnreach(
    attachment: Attachment,
    bytes: Uint8Array,
    from: number,
    to: number,
    outcome: UpdateOutcome,
  ): MpRoutes | null {
    const channel = channelAt(attachment, bytes, from);
    if (!channel) return null;
    const routes = { channel, start: from + 3, end: to };
    this.checkMp(bytes, routes, outcome);
    return routes;
  }

  private checkMp(bytes: Uint8Array, { channel, start, end }: MpRoutes, outcome: UpdateOutcome): void {
    const { family } = channel.rib;
    const lead = channel.receivesPathIds ? PATH_ID_LENGTH : 0;
    if (soundNlri(bytes, start, end, family.bits, lead)) return;
    outcome.reset ??= bgpError(3, 9, `a prefix of ${family.name} is too long or cut off`);
  }
}

/** The channel that a multiprotocol attribute's first three octets name. */
function channelAt(attachment: Attachment, bytes: Uint8Array, at: number): Channel | null {
  const family = familyOf(readU16(bytes, at), bytes[at + 2]);
  return (family && attachment.channels.get(family)) ?? null;
}
