/** The reflector beside BIRD, FRR, OpenBGPD and GoBGP on the same work. */
import type { Benchmark } from './benchmarks.ts';
import type { BarsChart, Panel } from './chart.ts';
import { type ComparedDaemon, type Comparison, compare, type Medians } from './compare.ts';
import { type BenchResult, bounded, limited, markdownTable, type Row, round } from './result.ts';

/** What a column of a scenario must not exceed: so many times a peer's figure, or a limit in the column's unit. */
type Bound =
  | { column: ComparedDaemon; peer: string; ratio: number }
  | { column: ComparedDaemon; limit: number };

const BOUNDS: Record<string, Bound[]> = {
  table: [
    { column: 'converge_s', peer: 'bird', ratio: 1 },
    { column: 'withdraw_s', peer: 'bird', ratio: 1 },
    { column: 'peak_mb', peer: 'bird', ratio: 1 },
  ],
  pods: [
    { column: 'converge_s', peer: 'frr', ratio: 1 },
    { column: 'withdraw_s', peer: 'frr', ratio: 1 },
    { column: 'churn_p50_ms', peer: 'bird', ratio: 1 },
    { column: 'churn_p99_ms', peer: 'bird', ratio: 1.5 },
    { column: 'peak_mb', limit: 100 },
  ],
  cluster: [
    { column: 'converge_s', peer: 'frr', ratio: 1 },
    { column: 'withdraw_s', peer: 'frr', ratio: 1 },
    { column: 'churn_p50_ms', peer: 'bird', ratio: 1 },
    { column: 'churn_p99_ms', peer: 'bird', ratio: 1 },
    { column: 'peak_mb', limit: 120 },
  ],
};

const COLUMNS: [ComparedDaemon, string][] = [
  ['converge_s', 'converge, s'],
  ['withdraw_s', 'withdraw, s'],
  ['churn_p50_ms', 'churn p50, ms'],
  ['churn_p99_ms', 'churn p99, ms'],
  ['peak_mb', 'peak memory, MB'],
  ['cpu_s', 'CPU, s'],
];

const NAMES: Record<string, string> = {
  bird: 'BIRD',
  frr: 'FRR',
  openbgpd: 'OpenBGPD',
  gobgp: 'GoBGP',
  ours: 'Flatroute',
};

const SCENARIOS: Record<string, string> = {
  table: 'table: 1,000,000 prefixes through',
  pods: 'pods: 200 clients × 100',
  cluster: 'cluster: 1,000 clients × 10',
};

/** The rows of a comparison. */
export function comparisonRows(comparison: Comparison): Row[] {
  return Object.entries(comparison).flatMap(([scenario, daemons]) =>
    (BOUNDS[scenario] ?? []).map((bound) => {
      const title = COLUMNS.find(([column]) => column === bound.column)?.[1] ?? bound.column;
      const ours = figure(daemons.ours, bound.column);
      if ('limit' in bound) return limited(`${scenario}: ${title}, limit`, ours, bound.limit);
      const { peer, ratio, column } = bound;
      return bounded(`${scenario}: ${title}, to ${NAMES[peer]}`, ours, figure(daemons[peer], column), ratio);
    }),
  );
}

function figure(medians: Medians | undefined, column: ComparedDaemon): number | null {
  return medians?.[column] ?? null;
}

/** Every figure of every daemon, a table for each scenario. */
export function comparisonTables(comparison: Comparison): string[] {
  return Object.entries(comparison).map(([scenario, daemons]) => {
    const names = Object.keys(daemons);
    const head = [SCENARIOS[scenario] ?? scenario, ...names.map((name) => NAMES[name] ?? name)];
    const body = COLUMNS.filter(([column]) => names.some((name) => column in daemons[name])).map(
      ([column, title]) => [title, ...names.map((name) => shown(daemons[name], column))],
    );
    return markdownTable([head, ...body]);
  });
}

function shown(medians: Medians, column: ComparedDaemon): string {
  if (medians.absent) return 'not installed';
  const value = medians[column];
  return value === null ? 'not in time' : value === undefined ? '' : String(round(value));
}

function chart(comparison: Comparison): BarsChart {
  const panels = Object.entries(comparison).flatMap(([scenario, daemons]) =>
    COLUMNS.flatMap(([column, title]): Panel[] => {
      const names = Object.keys(daemons).filter((name) => daemons[name][column] !== undefined);
      if (names.length === 0) return [];
      const bars = names.map((name) => ({
        label: NAMES[name] ?? name,
        value: figure(daemons[name], column),
      }));
      return [{ group: SCENARIOS[scenario] ?? scenario, title, bars }];
    }),
  );
  return {
    kind: 'bars',
    file: 'reflector.svg',
    title: 'Route reflectors on the same work; less is better',
    highlight: NAMES.ours,
    panels,
  };
}

async function run(values: Record<string, string | boolean | undefined>): Promise<BenchResult> {
  const comparison = await compare({
    folder: values['bench-dir'] as string | undefined,
    scenarios: String(values.scenario),
    peers: String(values.peers),
    rounds: Number(values.rounds),
    extra: String(values.extra),
  });
  return {
    rows: comparisonRows(comparison),
    notes: comparisonTables(comparison),
    charts: [chart(comparison)],
  };
}

export const reflector: Benchmark = {
  name: 'reflector',
  title: 'the reflector beside BIRD and FRR (or --peers bird,frr,openbgpd,gobgp), by compare.py',
  options: {
    scenario: { type: 'string', default: 'table,pods,cluster' },
    peers: { type: 'string', default: 'bird,frr' },
    rounds: { type: 'string', default: '3' },
    extra: { type: 'string', default: '' },
    'bench-dir': { type: 'string' },
  },
  run,
};
