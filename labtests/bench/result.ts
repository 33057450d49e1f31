/** What a benchmark finds: rows with bounds, and the tables that are written to docs/benchmarks.md. */
import { table } from '../start/table.ts';

/** One measured quantity. Less is always better, so a ratio up to the bound passes. */
export interface Row {
  /** What was measured, with its unit: "table: converge, s". */
  metric: string;
  /** Null: the measurement failed. */
  ours: number | null;
  /** What it is compared with: another program's figure, or a limit in the same unit. Null: nothing. */
  reference: number | null;
  ratio: number | null;
  /** The largest ratio that passes; null when there is no bound. */
  bound: number | null;
  ok: boolean;
}

/** The result of one run of a benchmark. */
export interface BenchResult {
  rows: Row[];
  /** Further paragraphs or tables in Markdown. */
  notes: string[];
}

/** A figure without a bound. */
export function reported(metric: string, ours: number): Row {
  return { metric, ours: round(ours), reference: null, ratio: null, bound: null, ok: true };
}

/** A figure that must be at most `bound` times the reference. Without a reference it does not pass. */
export function bounded(metric: string, ours: number | null, reference: number | null, bound: number): Row {
  const ratio = ours === null || reference === null ? null : round(ours / reference);
  const ok = ours !== null && reference !== null && ours <= reference * bound;
  return { metric, ours: ours === null ? null : round(ours), reference, ratio, bound, ok };
}

/** A figure that must be at most `limit`, in its own unit. */
export function limited(metric: string, ours: number | null, limit: number): Row {
  return bounded(metric, ours, limit, 1);
}

/** A condition that must hold; `wrong` is how often it did not. */
export function correct(metric: string, wrong: number): Row {
  const ok = wrong === 0;
  return { metric, ours: wrong, reference: 0, ratio: null, bound: null, ok };
}

/** Four significant digits. */
export function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** The rows as cells of text, the header first. */
export function cells(rows: readonly Row[]): string[][] {
  const head = ['metric', 'ours', 'reference', 'ratio', 'bound', ''];
  const body = rows.map(({ metric, ours, reference, ratio, bound, ok }) => [
    metric,
    text(ours, 'failed'),
    text(reference, ''),
    text(ratio, ''),
    bound === null ? '' : `≤ ${bound}`,
    ok ? '' : 'MISSED',
  ]);
  return [head, ...body];
}

/** The rows as a table for the terminal. */
export function printed(rows: readonly Row[]): string {
  return table(cells(rows), [1, 2, 3, 4]);
}

function text(value: number | null, absent: string): string {
  return value === null ? absent : value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}

/** Rows of cells, the header first, as a Markdown table; all columns but the first are right-aligned. */
export function markdownTable([head, ...body]: string[][]): string {
  const rule = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [head, rule, ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** The value below which the share of the values lies; `share` in (0, 1]. Sorts the values. */
export function percentile(values: number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.ceil(values.length * share) - 1)];
}

/** The slope of the line through the points by least squares. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (pick: 0 | 1) => points.reduce((sum, point) => sum + point[pick], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  let above = 0;
  let below = 0;
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return above / below;
}

/** The exponent e of y ~ x^e: the slope of log y over log x. */
export function exponent(points: readonly (readonly [x: number, y: number])[]): number {
  return slope(points.map(([x, y]) => [Math.log(x), Math.log(y)] as const));
}
