/** From the attributes of an UPDATE to a set of the attribute table: judged once, stored in one form. */

import { secondAs } from '../../wire/as-path.ts';
import { checkMandatory, scanAttributes } from '../../wire/attribute-scan.ts';
import { decodeAttributes, encodeAttributes } from '../../wire/attributes.ts';
import type { BgpError } from '../../wire/error.ts';
import { type AttributeContext, AttributeScan } from '../../wire/scan-result.ts';
import { type StoredFor, storedForm } from '../../wire/stored-form.ts';
import { type AttributeTable, AttrsKind, attrsKindOf, NO_ATTRS } from './attribute-table.ts';

/** Where MP_REACH_NLRI and MP_UNREACH_NLRI lie in an UPDATE; a start of 0: not there. */
export interface Multiprotocol {
  reachStart: number;
  reachEnd: number;
  unreachStart: number;
  unreachEnd: number;
}

/** The attributes of an UPDATE, and what their meaning depends on. */
export interface ReceivedAttributes {
  /** They lie in `bytes` from `start` to `end`. */
  bytes: Uint8Array;
  start: number;
  end: number;
  context: AttributeContext;
  /** The UPDATE announces routes in its own NLRI field (RFC 4271 §4.3). */
  usesUpdateFields: boolean;
  /** The source that is charged with a set that is new. */
  chargedSource: number;
}

export class AttributeInterner {
  /** The strongest defect of the attributes that were last looked at; null: none. */
  error: BgpError | null = null;
  /** Where their multiprotocol attributes lie. */
  readonly multiprotocol: Multiprotocol = { reachStart: 0, reachEnd: 0, unreachStart: 0, unreachEnd: 0 };
  private readonly table: AttributeTable;
  private readonly scan = new AttributeScan();

  constructor(table: AttributeTable) {
    this.table = table;
  }

  /**
   * Validates the attributes of an UPDATE; see `error` and `multiprotocol`. Returns the set for the routes in the
   * UPDATE's own fields, or NO_ATTRS when there are none or when a defect is more serious than a discarded attribute. A
   * known set was validated when it was added. The caller releases the set when the UPDATE has been carried out.
   */
  validate(received: ReceivedAttributes): number {
    return this.held(this.find(received));
  }

  /** A set is held until its UPDATE has been carried out: a withdrawal in it may take the last route that has it. */
  private held(attrs: number): number {
    if (attrs !== NO_ATTRS) this.table.retain(attrs);
    return attrs;
  }

  private find(received: ReceivedAttributes): number {
    const { table, scan, multiprotocol } = this;
    const { bytes, start, end, context, usesUpdateFields, chargedSource } = received;
    const kind = attrsKindOf(context);
    multiprotocol.reachStart = multiprotocol.unreachStart = 0;
    this.error = null;
    if (usesUpdateFields && context.fourOctetAs && !context.edits) {
      const known = table.find(kind, bytes, start, end);
      if (known !== NO_ATTRS) return known;
    }
    scanAttributes(bytes, start, end, context, scan);
    multiprotocol.reachStart = scan.mpReachStart;
    multiprotocol.reachEnd = scan.mpReachEnd;
    multiprotocol.unreachStart = scan.mpUnreachStart;
    multiprotocol.unreachEnd = scan.mpUnreachEnd;
    if (usesUpdateFields || scan.mpReachStart !== 0)
      checkMandatory(scan, usesUpdateFields && !context.originated);
    this.error = scan.error;
    if ((scan.error && scan.error.handling !== 'discard') || !usesUpdateFields) return NO_ATTRS;
    if (!scan.rewrite) return table.add(kind, bytes, start, end, scan, chargedSource);
    return this.store(received, 'classic');
  }

  /** The set for the routes of MP_REACH_NLRI; call after `validate` with the same attributes. */
  multiprotocolSet(received: ReceivedAttributes): number {
    const { bytes, start, end, context } = received;
    scanAttributes(bytes, start, end, context, this.scan);
    return this.held(this.store(received, 'multiprotocol'));
  }

  /** The stored form is scanned again: its numbers, not the wire's, are those of the set. */
  private store(received: ReceivedAttributes, purpose: StoredFor): number {
    const { table, scan } = this;
    const { bytes, start, end, context, chargedSource } = received;
    const kind = attrsKindOf(context);
    const stored = storedForm(bytes, start, end, context, scan, purpose);
    const known = table.find(kind, stored, 0, stored.length);
    if (known !== NO_ATTRS) return known;
    scanAttributes(stored, 0, stored.length, { ...context, fourOctetAs: true, edits: undefined }, scan);
    if (scan.error && scan.error.handling !== 'discard') {
      this.error = scan.error;
      return NO_ATTRS;
    }
    // The neighbouring AS is that of the peer, also where our local AS was put before it.
    if (context.edits?.prependAs) scan.firstAs = secondAs(decodeAttributes(stored).asPath);
    return table.add(kind, stored, 0, stored.length, scan, chargedSource);
  }

  /** Set `id` with one more standard community, charged to `chargedSource` when it is new; the caller retains it at once. */
  withCommunity(id: number, community: number, chargedSource: number): number {
    const { table, scan } = this;
    const attributes = table.decode(id);
    if (attributes.communities?.includes(community)) return id;
    const more = encodeAttributes({
      ...attributes,
      communities: [...(attributes.communities ?? []), community],
    });
    const kind = table.kindOf(id);
    const known = table.find(kind, more, 0, more.length);
    if (known !== NO_ATTRS) return known;
    const context = {
      ebgp: (kind & AttrsKind.external) !== 0,
      fourOctetAs: true,
      localAs: 0,
      localId: null,
      clusterId: null,
    };
    scanAttributes(more, 0, more.length, context, scan);
    // Loops were found with our own numbers when the set came; the other flags are the scan's.
    scan.flags |= table.flags.values[id];
    return table.add(kind, more, 0, more.length, scan, chargedSource);
  }
}
