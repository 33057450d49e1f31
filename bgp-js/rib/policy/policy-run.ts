/**
 * Running a policy over routes. What it makes of a set of attributes from a source is remembered, so that routes that
 * share their attributes cost a look-up; only conditions on the prefix are asked for each route.
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
import { RouteSubject } from './route-subject.ts';

/** In which direction a policy runs: what is taken from a peer, or what is shown to one. */
export type Direction = 'import' | 'export';

/** A decision in words: which rule made it. */
export interface PolicyVerdict {
  accepted: boolean;
  policy: string;
  /** Counted from 1; 0: none of them, `otherwise` decided. */
  rule: number;
  ruleName: string;
}

/** What is known of one set from one source. */
interface Memo {
  source: Source;
  subject: RouteSubject;
  /** By rule: whether its conditions on attributes hold; undefined: not asked yet. */
  held: (boolean | undefined)[];
  /** Resulting sets by the rules that applied, as text. */
  results: Map<string, AttrsId>;
}

/** Sets that are remembered before all are forgotten: the memory of a policy is bounded. */
const MEMO_LIMIT = 4096;
const SOURCE_FACTOR = 0x10000;

export class PolicyRun {
  readonly policy: CompiledPolicy;
  private readonly table: AttributeTable;
  private readonly family: Family;
  private readonly localAs: number;
  private readonly exporting: boolean;
  private readonly memos = new Map<number, Memo>();
  private readonly scan = new AttributeScan();
  /** Indices of the rules that applied to the last route. */
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
   * The set that the route becomes, or NO_SET when it is rejected; the NLRI is at `at`. The result is held until
   * `clear`, or at least until the next call: the caller retains it. Counts hits when asked to.
   */
  evaluate(attrs: AttrsId, source: Source, bytes: Uint8Array, at: number, counting: boolean): AttrsId {
    const memo = this.memoOf(attrs, source);
    this.decide(memo, bytes, at);
    if (counting) this.count();
    if (!this.accepted) return NO_ATTRS;
    const key = this.applied.join();
    const known = memo.results.get(key);
    if (known !== undefined) return known;
    // What the peer sent is charged to it as this speaker keeps it; export policies are this speaker's own doing.
    const result = this.change(memo.subject, this.exporting ? LOCAL_SOURCE : source.index);
    if (result !== NO_ATTRS) this.table.retain(result);
    memo.results.set(key, result);
    return result;
  }

  /** Which rule decides about the route; counts nothing. */
  explain(attrs: AttrsId, source: Source, bytes: Uint8Array, at: number): PolicyVerdict {
    this.decide(this.memoOf(attrs, source), bytes, at);
    const { policy, accepted, decidedBy } = this;
    const ruleName = policy.rules[decidedBy]?.name ?? '';
    return { accepted, policy: policy.name, rule: decidedBy + 1, ruleName };
  }

  /** Forgets everything and lets go of the sets. */
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
    // An index is used again after very many sessions.
    if (known?.source === source) return known;
    if (known || this.memos.size >= MEMO_LIMIT) {
      // The set may be held by the memo alone.
      this.table.retain(attrs);
      this.clear();
    } else {
      this.table.retain(attrs);
    }
    const memo = {
      source,
      subject: new RouteSubject(this.table, attrs, source),
      held: [],
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
      memo.held[i] ??= this.holds(rule, memo.subject);
      if (!memo.held[i] || !this.prefixHolds(rule, bytes, at)) continue;
      this.applied.push(i);
      if (rule.action === 'next') continue;
      this.accepted = rule.action === 'accept';
      this.decidedBy = i;
      return;
    }
    this.accepted = otherwise === 'accept';
    this.decidedBy = -1;
  }

  private holds({ conditions }: CompiledRule, subject: RouteSubject): boolean {
    return conditions.attributes.every((test) => test(subject, this.family.name));
  }

  private prefixHolds({ conditions }: CompiledRule, bytes: Uint8Array, at: number): boolean {
    const { prefixes } = conditions;
    return prefixes === null || prefixes.some((list) => list.has(this.family.bits, bytes, at));
  }

  private count(): void {
    for (const i of this.applied) this.policy.rules[i].hits++;
    if (this.decidedBy === -1) this.policy.otherwiseHits++;
  }

  /** The set with the changes of all rules that applied; NO_SET when it would not be sound. */
  private change(subject: RouteSubject, chargedSource: SourceId): AttrsId {
    const { table } = this;
    const edit = emptyEdit();
    let changes = false;
    for (const i of this.applied) {
      const { change } = this.policy.rules[i];
      change?.(edit, this.localAs);
      changes ||= change !== null;
    }
    // An IPv4 next hop means nothing to routes of another family.
    if (edit.nextHop instanceof IPAddress && !this.family.usesUpdateFields) edit.nextHop = null;
    if (!changes) return subject.attrs;
    const start = table.offsetOf(subject.attrs);
    const end = start + table.lengthOf(subject.attrs);
    const { bytes, kind } = applyEdit(
      table.chunkOf(subject.attrs),
      start,
      end,
      subject.segments(),
      edit,
      this.exporting,
    );
    const known = table.find(kind, bytes, 0, bytes.length);
    if (known !== NO_ATTRS) return known;
    // Loops were looked for before; what a policy writes is judged as coming from within.
    const context = { ebgp: false, fourOctetAs: true, localAs: 0, localId: null, clusterId: null };
    scanAttributes({ bytes, start: 0, end: bytes.length, context }, this.scan);
    if (bytes.length > 0xffff || (this.scan.error && this.scan.error.handling !== 'discard')) return NO_ATTRS;
    // MED is compared among routes of one neighbour, whatever a policy puts before it.
    this.scan.firstAs = table.firstAs.values[subject.attrs];
    return table.add({ kind, bytes, start: 0, end: bytes.length, scan: this.scan, chargedSource });
  }
}

/** A verdict in words, such as `refused by import policy tor-in, rule 3 'no-lab'`. */
export function verdictText(
  { accepted, policy, rule, ruleName }: PolicyVerdict,
  direction: Direction,
): string {
  if (policy === '') return `the eBGP peer has no ${direction} policy (RFC 8212)`;
  const by = rule === 0 ? 'otherwise' : `rule ${rule} '${ruleName}'`;
  return `${accepted ? 'accepted' : 'refused'} by ${direction} policy ${policy}, ${by}`;
}
