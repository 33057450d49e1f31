/**
 * The decision process (RFC 4271 §9.1.2). Each step keeps those of the usable paths to a prefix that are best by its
 * measure, until one path is left. Steps work on the whole set of paths, so that the outcome does not depend on the order
 * in which paths were received, not even where MED is compared within one neighbouring AS only.
 */
import { IPAddress } from '../ip/index.ts';
import { AttrsFlag } from '../wire/attribute-types.ts';
import { type Source, SourceKind } from './source.ts';
import type { AttributeTable } from './store/attribute-table.ts';
import type { AttrsId } from './store/ids.ts';

/** What a step may compare. */
export interface Candidate {
  attrs: AttrsId;
  source: Source;
  /** The peer's path identifier (RFC 7911); 0 without ADD-PATH. */
  addPathId?: number;
}

/** What a step compares: a number, or an address, null being the lowest of all. */
type Measure = number | IPAddress | null;

function compareMeasures(a: Measure, b: Measure): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a instanceof IPAddress && b instanceof IPAddress) return a.compare(b);
  return a === b ? 0 : a === null ? -1 : 1;
}

/** One step; the lower the measure, the better. */
export interface DecisionStep {
  /** What makes a path win at this step, human-readable. */
  name: string;
  rfc: string;
  measure(candidate: Candidate, attributes: AttributeTable): Measure;
  /** Compares only paths of the same neighbouring AS with each other (MED). */
  perNeighbour?: boolean;
}

const isExternal = (source: Source): boolean => source.kind === SourceKind.external;

/** RFC 4456 §9: for a reflected route ORIGINATOR_ID takes the place of the BGP identifier. */
function identifierOf(candidate: Candidate, attributes: AttributeTable): number {
  const { attrs, source } = candidate;
  const reflected = (attributes.flags.values[attrs] & AttrsFlag.originatorId) !== 0;
  return reflected ? attributes.originatorId.values[attrs] : source.routerId;
}

/** The steps in order. There is none for the interior cost, because the dataplane resolves next hops. */
export const DECISION_STEPS: readonly DecisionStep[] = [
  {
    name: 'originated here',
    rfc: 'RFC 4271 §9.1.1',
    measure: ({ source }) => (source.kind === SourceKind.local ? 0 : 1),
  },
  {
    name: 'not long-lived stale',
    rfc: 'RFC 9494 §4.3',
    measure: ({ attrs }, attributes) => attributes.flags.values[attrs] & AttrsFlag.llgrStale,
  },
  {
    name: 'higher LOCAL_PREF',
    rfc: 'RFC 4271 §9.1.1',
    measure: ({ attrs }, attributes) => -attributes.localPref.values[attrs],
  },
  {
    name: 'shorter AS_PATH',
    rfc: 'RFC 4271 §9.1.2.2 a',
    measure: ({ attrs }, attributes) => attributes.asPathLength.values[attrs],
  },
  {
    name: 'lower ORIGIN',
    rfc: 'RFC 4271 §9.1.2.2 b',
    measure: ({ attrs }, attributes) => attributes.origin.values[attrs],
  },
  {
    name: 'lower MED',
    rfc: 'RFC 4271 §9.1.2.2 c',
    perNeighbour: true,
    measure: ({ attrs }, attributes) => attributes.med.values[attrs],
  },
  {
    name: 'eBGP over iBGP',
    rfc: 'RFC 4271 §9.1.2.2 d',
    measure: ({ source }) => (isExternal(source) ? 0 : 1),
  },
  {
    name: 'lower BGP identifier',
    rfc: 'RFC 4271 §9.1.2.2 f, RFC 4456 §9',
    measure: identifierOf,
  },
  {
    name: 'shorter CLUSTER_LIST',
    rfc: 'RFC 4456 §9',
    measure: ({ attrs }, attributes) => attributes.clusterListLength.values[attrs],
  },
  {
    name: 'lower peer address',
    rfc: 'RFC 4271 §9.1.2.2 g',
    measure: ({ source }) => source.address,
  },
  {
    name: 'lower session number',
    rfc: 'to end every tie',
    measure: ({ source }) => source.index,
  },
  {
    name: 'lower path identifier',
    rfc: 'to end every tie of one peer (RFC 7911)',
    measure: ({ addPathId = 0 }) => addPathId,
  },
];

/** Paths that are equal before this step may share the traffic (multipath). */
export const TIE_BREAK_STEP = DECISION_STEPS.findIndex(({ name }) => name === 'lower BGP identifier');

/** The outcome for one prefix. */
export interface Decision<T extends Candidate> {
  best: T;
  /** The best path and those equal to it before the tie-breaks, best first. */
  equal: T[];
  /** The number of the step that eliminated each path; for the best path, the last step that eliminated any. */
  decidedAt: Map<T, number>;
}

/**
 * Decides between one or more paths, and says at which step each lost. The RIB calls it for three and more paths, and
 * {@link comparePaths} for two.
 */
export function decide<T extends Candidate>(
  candidates: readonly T[],
  attributes: AttributeTable,
): Decision<T> {
  const decidedAt = new Map<T, number>();
  let left: readonly T[] = candidates;
  let equal: readonly T[] | null = null;
  let last = 0;
  for (let step = 0; step < DECISION_STEPS.length && left.length > 1; step++) {
    if (step === TIE_BREAK_STEP) equal = left;
    const kept = survivors(left, DECISION_STEPS[step], attributes);
    for (const candidate of left) if (!kept.includes(candidate)) decidedAt.set(candidate, step);
    if (kept.length < left.length) last = step;
    left = kept;
  }
  const best = left[0];
  decidedAt.set(best, last);
  const others = (equal ?? [best]).filter((candidate) => candidate !== best);
  others.sort((a, b) => -comparePaths(a, b, attributes));
  return { best, equal: [best, ...others], decidedAt };
}

/** The candidates from the best one down. */
export function rank<T extends Candidate>(candidates: readonly T[], attributes: AttributeTable): T[] {
  const ranking: T[] = [];
  let left = candidates;
  while (left.length > 0) {
    const { best } = decide(left, attributes);
    ranking.push(best);
    left = left.filter((candidate) => candidate !== best);
  }
  return ranking;
}

function survivors<T extends Candidate>(
  candidates: readonly T[],
  step: DecisionStep,
  attributes: AttributeTable,
): T[] {
  const lowest = new Map<number, Measure>();
  const group = (candidate: T): number =>
    step.perNeighbour ? attributes.firstAs.values[candidate.attrs] : 0;
  for (const candidate of candidates) {
    const measure = step.measure(candidate, attributes);
    const known = lowest.get(group(candidate));
    if (known === undefined || compareMeasures(measure, known) < 0) lowest.set(group(candidate), measure);
  }
  return candidates.filter((candidate) => {
    const measure = lowest.get(group(candidate)) ?? null;
    return compareMeasures(step.measure(candidate, attributes), measure) === 0;
  });
}

/** Compares two paths: the number of the step that decides plus one, negative when `b` wins; 0 when none decides. */
export function comparePaths(a: Candidate, b: Candidate, attributes: AttributeTable): number {
  for (let step = 0; step < DECISION_STEPS.length; step++) {
    const { measure, perNeighbour } = DECISION_STEPS[step];
    if (perNeighbour && attributes.firstAs.values[a.attrs] !== attributes.firstAs.values[b.attrs]) continue;
    const [ours, theirs] = [measure(a, attributes), measure(b, attributes)];
    const difference = compareMeasures(ours, theirs);
    if (difference !== 0) return difference < 0 ? step + 1 : -(step + 1);
  }
  return 0;
}
