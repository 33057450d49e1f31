/** The reflector beside BIRD, FRR, OpenBGPD and GoBGP on the same work. */
import { resolve } from 'node:path';
import { assertBuilt } from '../lab/command.ts';
import type { Benchmark } from './benchmark.ts';
import { type Comparison, compare, type Measured, type Rounds, SCENARIOS } from './load/compare.ts';
import { type BenchResult, bounded, markdownTable, type Row, reported, round } from './result.ts';

/** The daemons whose best figure is the reference. */
const REFERENCES = ['bird', 'frr'];

/** What a figure may be at most, as a multiple of the best of BIRD and FRR. */
const BOUNDS: Readonly<Record<string, Partial<Record<Measured, number>>>> = {
  table: { converge_s: 1, withdraw_s: 1, peak_mb: 1 },
  internet: { converge_s: 1, withdraw_s: 1 },
  pods: { converge_s: 1, withdraw_s: 1, churn_p50_ms: 1.1 },
  cluster: { converge_s: 1, withdraw_s: 1, churn_p50_ms: 1.1 },
};

const COLUMNS: readonly (readonly [column: Measured, title: string])[] = [
  ['converge_s', 'converge, s'],
  ['withdraw_s', 'withdraw, s'],
  ['churn_p50_ms', 'churn p50, ms'],
  ['churn_p99_ms', 'churn p99, ms'],
  ['peak_mb', 'peak memory, MB'],
  ['cpu_s', 'CPU, s'],
];

const NAMES: Readonly<Record<string, string>> = {
  bird: 'BIRD',
  frr: 'FRR',
  openbgpd: 'OpenBGPD',
  gobgp: 'GoBGP',
  before: 'Flatroute before',
  ours: 'Flatroute',
};

/** The middle of the rounds; null when one of them failed, undefined when there is no such figure. */
export function median(rounds: Rounds | undefined, column: Measured): number | null | undefined {
  const values = (rounds ?? []).map((one) => one[column]);
  if (values.length === 0 || values.includes(undefined)) return undefined;
  if (values.includes(null)) return null;
  const sorted = (values as number[]).toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/** Our medians with their ratio to the best of BIRD and FRR. */
export function comparisonRows(comparison: Comparison): Row[] {
  return Object.entries(comparison).flatMap(([scenario, daemons]) =>
    COLUMNS.flatMap(([column, title]): Row[] => {
      const ours = median(daemons.ours, column);
      if (ours === undefined) return [];
      const references = REFERENCES.map((name) => median(daemons[name], column));
      const known = references.filter((value) => typeof value === 'number');
      const best = known.length > 0 ? round(Math.min(...known)) : null;
      const bound = BOUNDS[scenario]?.[column];
      const metric = `${scenario}: ${title}`;
      if (bound !== undefined) return [bounded(metric, ours, best, bound)];
      if (ours === null) return [{ ...reported(metric, 0), ours: null, ok: false }];
      return [{ ...reported(metric, ours), reference: best, ratio: best ? round(ours / best) : null }];
    }),
  );
}

/** Medians of every daemon with the smallest and the largest of the rounds, a table for each scenario. */
export function comparisonTables(comparison: Comparison): string[] {
  return Object.entries(comparison).map(([scenario, daemons]) => {
    const names = Object.keys(daemons);
    const head = [
      SCENARIOS[scenario]?.title ?? scenario,
      ...names.map((name) => NAMES[name] ?? name),
      'ratio to the best of BIRD and FRR',
    ];
    const rows = comparisonRows({ [scenario]: daemons });
    const isMeasured = ([column]: readonly [Measured, string]) =>
      names.some((name) => median(daemons[name], column) !== undefined);
    const body = COLUMNS.filter(isMeasured).map(([column, title]) => [
      title,
      ...names.map((name) => cell(daemons[name], column)),
      ratioCell(rows.find(({ metric }) => metric.endsWith(title))),
    ]);
    return markdownTable([head, ...body]);
  });
}

function cell(rounds: Rounds, column: Measured): string {
  if (rounds.length === 0) return 'not installed';
  const middle = median(rounds, column);
  if (middle === undefined) return '';
  if (middle === null) return 'not in time';
  const values = rounds.map((one) => one[column] ?? 0);
  const spread = `${round(Math.min(...values))}–${round(Math.max(...values))}`;
  return rounds.length === 1 ? String(round(middle)) : `${round(middle)} (${spread})`;
}

function ratioCell(row: Row | undefined): string {
  const { ratio = null, bound = null } = row ?? {};
  return [ratio, bound === null ? null : `(≤ ${bound})`].filter((part) => part !== null).join(' ');
}

async function run(values: Record<string, string | boolean | undefined>): Promise<BenchResult> {
  assertBuilt();
  const list = (option: string) =>
    String(values[option] ?? '')
      .split(/[ ,]/)
      .filter((word) => word !== '');
  const comparison = await compare({
    scenarios: list('scenario'),
    peers: list('peers'),
    rounds: Number(values.rounds),
    before: values.before === undefined ? undefined : resolve(String(values.before)),
    extra: list('extra'),
    seed: Number(values.seed),
  });
  return { rows: comparisonRows(comparison), notes: comparisonTables(comparison) };
}

export const reflector: Benchmark = {
  name: 'reflector',
  title:
    'the reflector beside BIRD and FRR (--peers bird,frr,openbgpd,gobgp), and an older checkout (--before PATH)',
  options: {
    scenario: { type: 'string', default: 'table,internet,pods,cluster' },
    peers: { type: 'string', default: 'bird,frr' },
    rounds: { type: 'string', default: '3' },
    before: { type: 'string' },
    extra: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
  },
  document: { file: 'docs/benchmarks.md', rows: false },
  run,
};
