/**
 * The RIB with everything that feeds it and reads it: UPDATEs in, update groups out, routes of our own, and the work
 * that is done in slices. Sessions come and go by `attach` and `detach`.
 */

import { secondAs } from '../wire/as-path.ts';
import { storedForm } from '../wire/attribute-edit.ts';
import {
  type AttributeContext,
  AttributeScan,
  checkMandatory,
  scanAttributes,
} from '../wire/attribute-scan.ts';
import { type Attributes, decodeAttributes, encodeAttributes } from '../wire/attributes.ts';
import { IPV4_UNICAST } from '../wire/families.ts';
import { AttributeTable, NO_SET, setKindOf } from './attribute-table.ts';
import { FamilyRib } from './family-rib.ts';
import { type ImportRules, judgeAttributes, judgePrefix, type OwnNumbers } from './import.ts';
import { PathState } from './path-state.ts';
import { type Source, SourceTable } from './source.ts';
import { type ExportTreatment, treatmentKey } from './treatment.ts';
import { type Member, UpdateGroup } from './update-group.ts';

/** A session as the RIB sees it. */
export interface Attachment {
  source: Source;
  context: AttributeContext;
  rules: ImportRules;
  group: UpdateGroup;
  member: Member;
}

/** Path numbers looked at in one slice of background work: well under a millisecond. */
const SLICE = 8192;

interface Job {
  /** Does a slice from `from` on; returns where to go on, or 0 when done. */
  run(from: number): number;
  from: number;
  done(): void;
}

export class Routing {
  readonly attributes = new AttributeTable();
  readonly sources: SourceTable;
  readonly rib: FamilyRib;
  own: OwnNumbers = { as: 0, addresses: new Set(), ranges: [] };
  /** The scan of the attributes that were last interned; valid until the next call. */
  readonly scan = new AttributeScan();
  private readonly groups = new Map<string, UpdateGroup>();
  private readonly attachments = new Map<number, Attachment>();
  private jobs: Job[] = [];

  constructor(localName: string, maximumPaths: number) {
    this.sources = new SourceTable(localName);
    this.rib = new FamilyRib(IPV4_UNICAST, this.attributes, this.sources);
    this.rib.maximumPaths = maximumPaths;
  }

  // --- sessions ----------------------------------------------------------------------------------------------------

  attach(
    fields: Pick<Source, 'kind' | 'name' | 'as' | 'routerId' | 'address' | 'addressOrder'>,
    context: AttributeContext,
    rules: ImportRules,
    treatment: ExportTreatment,
  ): Attachment {
    const source = this.sources.add(fields);
    const group = this.groupFor(treatment);
    const attachment = { source, context, rules, group, member: group.join(source.index) };
    this.attachments.set(source.index, attachment);
    return attachment;
  }

  /** The session ended: its routes go, a slice at a time. */
  detach(attachment: Attachment): void {
    const { source, group, member } = attachment;
    this.attachments.delete(source.index);
    group.leave(member);
    this.dropIfEmpty(group);
    this.jobs.push({
      run: (from) => this.rib.sweep(source.index, from, SLICE),
      from: 0,
      done: () => this.sources.remove(source.index),
    });
  }

  /** Shows a session the routes in another way from now on; it is sent the difference. */
  retreat(attachment: Attachment, treatment: ExportTreatment): void {
    const old = attachment.group;
    const group = this.groupFor(treatment);
    if (group === old) return;
    const member = group.join(attachment.source.index);
    group.owe(member, old);
    old.leave(attachment.member);
    this.dropIfEmpty(old);
    attachment.group = group;
    attachment.member = member;
  }

  private groupFor(treatment: ExportTreatment): UpdateGroup {
    const key = treatmentKey(treatment);
    const known = this.groups.get(key);
    if (known) return known;
    const group = new UpdateGroup(this.rib, treatment);
    this.groups.set(key, group);
    return group;
  }

  private dropIfEmpty(group: UpdateGroup): void {
    if (group.members.size > 0) return;
    this.groups.delete(treatmentKey(group.treatment));
    group.dispose();
  }

  // --- routes in -----------------------------------------------------------------------------------------------------

  /** Announces the prefixes of an NLRI field that was found sound, with attributes that `intern` returned. */
  announce(attachment: Attachment, bytes: Uint8Array, start: number, end: number, set: number): void {
    const { source, rules } = attachment;
    const verdict = judgeAttributes(this.attributes, set, rules, this.own);
    for (let at = start; at < end; at += 1 + ((bytes[at] + 7) >> 3)) {
      const state = verdict === PathState.usable ? judgePrefix(bytes, at, rules, this.own) : verdict;
      this.rib.announce(source.index, bytes, at, set, state);
    }
  }

  withdraw(attachment: Attachment, bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at += 1 + ((bytes[at] + 7) >> 3)) {
      this.rib.withdraw(attachment.source.index, bytes, at);
    }
  }

  /**
   * The set of these attributes, which came in the given context; NO_SET when they have a defect that is stronger
   * than a dropped attribute: see `scan.error`. A set that is already known was found sound before. `hasRoutes`: the UPDATE announces something, so that
   * the mandatory attributes have to be there.
   */
  intern(
    bytes: Uint8Array,
    start: number,
    end: number,
    context: AttributeContext,
    hasRoutes: boolean,
  ): number {
    const { attributes, scan } = this;
    const kind = setKindOf(context);
    if (context.fourOctetAs && !context.edits) {
      const known = attributes.find(kind, bytes, start, end);
      if (known !== NO_SET) {
        scan.error = null;
        return known;
      }
    }
    scanAttributes(bytes, start, end, context, scan);
    if (hasRoutes) checkMandatory(scan, true);
    if (scan.error && scan.error.handling !== 'discard') return NO_SET;
    // Attributes without routes are judged, but not kept.
    if (!hasRoutes) return NO_SET;
    if (!scan.rewrite) return attributes.add(kind, bytes, start, end, scan);
    const stored = storedForm(bytes, start, end, context, scan);
    return this.internStored(stored, kind, context);
  }

  /** The stored form is scanned again: its numbers, not the wire's, are those of the set. */
  private internStored(stored: Uint8Array, kind: number, context: AttributeContext): number {
    const known = this.attributes.find(kind, stored, 0, stored.length);
    if (known !== NO_SET) return known;
    const { scan } = this;
    const { error } = scan;
    scanAttributes(stored, 0, stored.length, { ...context, fourOctetAs: true, edits: undefined }, scan);
    if (scan.error && scan.error.handling !== 'discard') return NO_SET;
    scan.error = error;
    // The neighbouring AS is that of the peer, also where our local AS was put before it.
    if (context.edits?.prependAs) scan.firstAs = secondAs(decodeAttributes(stored).asPath);
    return this.attributes.add(kind, stored, 0, stored.length, scan);
  }

  /** Gives up a set that `intern` returned when no route came to use it. */
  drop(set: number): void {
    this.attributes.releaseUnused(set);
  }

  // --- routes of our own -----------------------------------------------------------------------------------------------

  /** Originates a route, or changes one; `nlri` is the prefix in wire form. */
  originate(nlri: Uint8Array, attributes: Attributes, context: AttributeContext): void {
    const bytes = encodeAttributes(attributes);
    const set = this.intern(bytes, 0, bytes.length, { ...context, ebgp: false, fourOctetAs: true }, true);
    if (set === NO_SET) throw new RangeError(this.scan.error?.text ?? 'the attributes are malformed');
    this.rib.announce(0, nlri, 0, set, PathState.usable);
    this.drop(set);
  }

  withdrawOwn(nlri: Uint8Array): void {
    this.rib.withdraw(0, nlri, 0);
  }

  // --- work in slices ------------------------------------------------------------------------------------------------

  /** Judges all learned routes again after the rules or our own ranges changed. */
  rejudge(): void {
    const nlri = new Uint8Array(1 + this.rib.family.bits / 8);
    this.jobs.push({
      run: (from) => this.rib.eachPath(from, SLICE, (path, prefix) => this.rejudgeOne(path, prefix, nlri)),
      from: 0,
      done: () => {},
    });
  }

  private rejudgeOne(path: number, prefix: number, nlri: Uint8Array): void {
    const attachment = this.attachments.get(this.rib.sourceOf(path));
    if (!attachment) return;
    const set = this.rib.setOf(path);
    this.rib.prefixes.write(prefix, nlri, 0);
    const verdict = judgeAttributes(this.attributes, set, attachment.rules, this.own);
    const state = verdict === PathState.usable ? judgePrefix(nlri, 0, attachment.rules, this.own) : verdict;
    this.rib.announce(attachment.source.index, nlri, 0, set, state);
  }

  setMaximumPaths(count: number): void {
    if (count === this.rib.maximumPaths) return;
    this.rib.maximumPaths = count;
    this.jobs.push({ run: (from) => this.rib.redecide(from, SLICE), from: 0, done: () => {} });
  }

  get hasWork(): boolean {
    return this.jobs.length > 0;
  }

  /** Does one slice of background work. */
  work(): void {
    const job = this.jobs[0];
    if (!job) return;
    job.from = job.run(job.from);
    if (job.from !== 0) return;
    this.jobs.shift();
    job.done();
  }
}
