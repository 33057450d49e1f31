/** From an UPDATE's bytes to the RIB: the fields are judged (RFC 4271 §6.3, RFC 7606), then carried out. */

import { NO_SET } from './rib/attribute-table.ts';
import type { Attachment, Routing } from './rib/routing.ts';
import { type BgpError, bgpError } from './wire/error.ts';
import { soundNlri } from './wire/prefix.ts';
import { emptySections, splitUpdate } from './wire/update.ts';

/** What became of an UPDATE. */
export interface UpdateOutcome {
  /** The session has to end with this NOTIFICATION. */
  reset: BgpError | null;
  /** A defect that was dealt with: routes withdrawn or an attribute dropped. */
  defect: BgpError | null;
  /** It was the End-of-RIB marker. */
  endOfRib: boolean;
}

const BITS = 32;

export class UpdateProcessor {
  private readonly routing: Routing;
  private readonly sections = emptySections();

  constructor(routing: Routing) {
    this.routing = routing;
  }

  /** Processes the UPDATE whose body lies between `start` and `end`. */
  process(attachment: Attachment, bytes: Uint8Array, start: number, end: number): UpdateOutcome {
    const { sections } = this;
    const outcome: UpdateOutcome = { reset: null, defect: null, endOfRib: false };
    outcome.reset = splitUpdate(bytes, start, end, sections) ?? this.checkNlri(bytes);
    if (outcome.reset) return outcome;
    const { withdrawnStart, withdrawnEnd, attributesStart, attributesEnd, nlriStart, nlriEnd } = sections;
    const hasRoutes = nlriEnd > nlriStart;
    if (!hasRoutes && attributesEnd === attributesStart) {
      outcome.endOfRib = withdrawnEnd === withdrawnStart;
      this.routing.withdraw(attachment, bytes, withdrawnStart, withdrawnEnd);
      return outcome;
    }
    const set = this.judge(attachment, bytes, hasRoutes, outcome);
    if (outcome.reset) return outcome;
    this.routing.withdraw(attachment, bytes, withdrawnStart, withdrawnEnd);
    if (set === NO_SET) this.routing.withdraw(attachment, bytes, nlriStart, nlriEnd);
    else this.routing.announce(attachment, bytes, nlriStart, nlriEnd, set);
    if (set !== NO_SET) this.routing.drop(set);
    return outcome;
  }

  private checkNlri(bytes: Uint8Array): BgpError | null {
    const { withdrawnStart, withdrawnEnd, nlriStart, nlriEnd } = this.sections;
    if (!soundNlri(bytes, withdrawnStart, withdrawnEnd, BITS)) {
      return bgpError(3, 10, 'the withdrawn routes hold a prefix that is too long or cut off');
    }
    if (!soundNlri(bytes, nlriStart, nlriEnd, BITS)) {
      return bgpError(3, 10, 'the NLRI holds a prefix that is too long or cut off');
    }
    return null;
  }

  /** The set of the message's attributes, or NO_SET when its routes are to be withdrawn or there are none. */
  private judge(
    attachment: Attachment,
    bytes: Uint8Array,
    hasRoutes: boolean,
    outcome: UpdateOutcome,
  ): number {
    const { attributesStart, attributesEnd } = this.sections;
    const { scan } = this.routing;
    let set = this.routing.intern(bytes, attributesStart, attributesEnd, attachment.context, hasRoutes);
    const { error } = scan;
    if (error?.handling === 'reset') outcome.reset = error;
    else if (error?.handling === 'treat-as-withdraw' && !hasRoutes) {
      // RFC 7606 §5.2: without NLRI it is not known which routes to withdraw.
      outcome.reset = { ...error, handling: 'reset' };
    } else outcome.defect = error;
    if (set !== NO_SET && (outcome.reset || !hasRoutes)) {
      this.routing.drop(set);
      set = NO_SET;
    }
    return set;
  }
}
