/**
 * Runs a policy over routes.
 *
 * The problem. Evaluating a rule means matching AS paths and communities, and changing a route means writing and
 * scanning a new set of attributes. A full table has a million routes, each of which passes the import policy of one
 * peer and the export policies of several groups.
 *
 * Why the obvious solutions fail. Caching the outcome by prefix costs as much memory as the table. Caching it by
 * attribute set alone is wrong, because rules also match prefixes and sources.
 *
 * How it works. Conditions on attributes and source are separate from those on the prefix (`Conditions`). A `Memo`
 * caches, for one attribute set from one source, which rules match the attributes (`matches`). So `decide` reads a
 * table of booleans and consults only the prefix lists for each route. The outcome is the list of applied rules.
 * `results` caches the new attribute set by that list, so that routes with the same attributes usually share one change
 * (`change`, `applyEdit`) too.
 *
 * A memo retains its attribute set and the resulting ones, because their ids must not be reused while the memo refers
 * to them. The memory is bounded: all memos are dropped when there are MEMO_LIMIT of them, or when a source id is
 * reused.
 */
import { IPAddress } from '../../ip/index.ts';
import { scanAttributes } from '../../wire/attribute-scan.ts';
import type { Family } from '../../wire/families.ts';
import { AttributeScan } from '../../wire/scan-result.ts';
import type { Source } from '../source.ts';
import type { AttributeTable } from '../store/attribute-table.ts';
import { type AttrsId, LOCAL_SOURCE, NO_ATTRS, type SourceId } from '../store/ids.ts';
import type { CompiledPolicy, CompiledRule } from './policy.ts';
import { applyEdit, emptyEdit } from './policy-changes.ts';
import { RouteSubject } from './policy-conditions.ts';

/** Whether a policy applies to received routes or to advertised ones. */
export type Direction = 'import' | 'export';

/** Which rule decided about a route, and how. */
export interface PolicyVerdict {
  accepted: boolean;
  policy: string;
  /** Counted from 1; 0: `otherwise` decided. */
  rule: number;
  ruleName: string;
}

/** Cached results for one attribute set from one source. */
interface Memo {
  source: Source;
  subject: RouteSubject;
  /** By rule: whether its conditions on attributes match; undefined if not evaluated yet. */
  matches: (boolean | undefined)[];
  /** The resulting attribute sets by the indices of the applied rules, joined by commas. */
  results: Map<string, AttrsId>;
}

/** Maximum number of memos. */
const MEMO_LIMIT = 4096;
const SOURCE_FACTOR = 0x10000;

/** A policy for one direction and address family, with its memos. */
export class PolicyRun {
  readonly policy: CompiledPolicy;
  private readonly table: AttributeTable;
  private readonly family: Family;
  private readonly localAs: number;
  private readonly exporting: boolean;
  private readonly memos = new Map<number, Memo>();
  private readonly scan = new AttributeScan();
  /** The outcome of `decide`: indices of the rules that applied, and of the one that decided, or -1. */
  private applied: number[] = [];
  private accepted = false;
  private decidedBy = -1;

  constructor(
    policy: CompiledPolicy,
    direction: Direction,
    table: AttributeTable,
    family: Family,
    localAs: number,
  ) {
    this.policy = policy;
    this.exporting = direction === 'export';
    this.table = table;
    this.family = family;
    this.localAs = localAs;
  }

  /**
   * Evaluates the policy for the route whose NLRI is at `at`. Returns the resulting attributes, or NO_ATTRS if the
   * policy rejects the route. The caller must retain the result before the next call, which may drop the memo that
   * retains it. `counting`: whether to count hits.
   */
  evaluate(attrs: AttrsId, source: Source, bytes: Uint8Array, at: number, counting: boolean): AttrsId {
    const memo = this.memoOf(attrs, source);
    this.decide(memo, bytes, at);
    if (counting) this.count();
    if (!this.accepted) return NO_ATTRS;
    const key = this.applied.join();
    const known = memo.results.get(key);
    if (known !== undefined) return known;
    // Attribute sets made at import are charged to the peer, those made at export to this speaker.
    const result = this.change(memo.subject, this.exporting ? LOCAL_SOURCE : source.index);
    if (result !== NO_ATTRS) this.table.retain(result);
    memo.results.set(key, result);
    return result;
  }

  /** Which rule decides about a route; counts no hits. */
  explain(attrs: AttrsId, source: Source, bytes: Uint8Array, at: number): PolicyVerdict {
    this.decide(this.memoOf(attrs, source), bytes, at);
    const { policy, accepted, decidedBy } = this;
    const ruleName = policy.rules[decidedBy]?.name ?? '';
    return { accepted, policy: policy.name, rule: decidedBy + 1, ruleName };
  }

  /** Drops all memos and releases their attribute sets. */
  clear(): void {
    for (const { subject, results } of this.memos.values()) {
      for (const result of results.values()) if (result !== NO_ATTRS) this.table.release(result);
      this.table.release(subject.attrs);
    }
    this.memos.clear();
  }

  private memoOf(attrs: AttrsId, source: Source): Memo {
    const key = attrs * SOURCE_FACTOR + source.index;
    const known = this.memos.get(key);
    // The index may belong to another session now.
    if (known?.source === source) return known;
    if (known || this.memos.size >= MEMO_LIMIT) {
      // Must come before `clear`, because a memo may have the last reference.
      this.table.retain(attrs);
      this.clear();
    } else {
      this.table.retain(attrs);
    }
    const memo = {
      source,
      subject: new RouteSubject(this.table, attrs, source),
      matches: [],
      results: new Map(),
    };
    this.memos.set(key, memo);
    return memo;
  }

  private decide(memo: Memo, bytes: Uint8Array, at: number): void {
    const { rules, otherwise } = this.policy;
    this.applied.length = 0;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i];
      memo.matches[i] ??= this.matchesAttributes(rule, memo.subject);
      if (!memo.matches[i] || !this.matchesPrefix(rule, bytes, at)) continue;
      this.applied.push(i);
      if (rule.action === 'next') continue;
      this.accepted = rule.action === 'accept';
      this.decidedBy = i;
      return;
    }
    this.accepted = otherwise === 'accept';
    this.decidedBy = -1;
  }

  private matchesAttributes({ conditions }: CompiledRule, subject: RouteSubject): boolean {
    return conditions.attributes.every((test) => test(subject, this.family.name));
  }

  private matchesPrefix({ conditions }: CompiledRule, bytes: Uint8Array, at: number): boolean {
    const { prefixes } = conditions;
    return prefixes === null || prefixes.some((list) => list.has(this.family.bits, bytes, at));
  }

  private count(): void {
    for (const i of this.applied) this.policy.rules[i].hits++;
    if (this.decidedBy === -1) this.policy.otherwiseHits++;
  }

  /** Applies the changes of all applied rules. Returns NO_ATTRS if the result would be malformed. */
  private change(subject: RouteSubject, chargedSource: SourceId): AttrsId {
    const { table } = this;
    const edit = emptyEdit();
    let changes = false;
    for (const i of this.applied) {
      const { change } = this.policy.rules[i];
      change?.(edit, this.localAs);
      changes ||= change !== null;
    }
    // Routes of another family cannot have an IPv4 next hop.
    if (edit.nextHop instanceof IPAddress && !this.family.usesUpdateFields) edit.nextHop = null;
    if (!changes) return subject.attrs;
    const start = table.offsetOf(subject.attrs);
    const end = start + table.lengthOf(subject.attrs);
    const stored = { bytes: table.chunkOf(subject.attrs), start, end, segments: subject.segments() };
    const { bytes, kind } = applyEdit(stored, edit, this.exporting);
    const known = table.find(kind, bytes, 0, bytes.length);
    if (known !== NO_ATTRS) return known;
    // Loops were detected on receipt. What a policy writes is validated like attributes of an internal peer.
    const context = { ebgp: false, fourOctetAs: true, localAs: 0, localId: null, clusterId: null };
    scanAttributes({ bytes, start: 0, end: bytes.length, context }, this.scan);
    if (bytes.length > 0xffff || (this.scan.error && this.scan.error.handling !== 'discard')) return NO_ATTRS;
    // MED is compared by the neighbouring AS that sent the route, even if a policy prepends another AS.
    this.scan.firstAs = table.firstAs.values[subject.attrs];
    return table.add({ kind, bytes, start: 0, end: bytes.length, scan: this.scan, chargedSource });
  }
}

/** A verdict as text, such as `refused by import policy tor-in, rule 3 'no-lab'`. */
export function verdictText(
  { accepted, policy, rule, ruleName }: PolicyVerdict,
  direction: Direction,
): string {
  if (policy === '') return `the eBGP peer has no ${direction} policy (RFC 8212)`;
  const by = rule === 0 ? 'otherwise' : `rule ${rule} '${ruleName}'`;
  return `${accepted ? 'accepted' : 'refused'} by ${direction} policy ${policy}, ${by}`;
}
