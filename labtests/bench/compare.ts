/** Running the neutral load generator, compare.py, which measures reflectors side by side, and reading what it prints. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { repository } from '../lab/processes.ts';

/** Medians of one daemon in one scenario; null: it did not get there in time. What a scenario has not is left out. */
export interface Medians {
  converge_s?: number | null;
  cpu_s?: number | null;
  peak_mb?: number | null;
  churn_p50_ms?: number | null;
  churn_p99_ms?: number | null;
  withdraw_s?: number | null;
  /** The daemon is not installed. */
  absent?: true;
}

export type ComparedDaemon = Exclude<keyof Medians, 'absent'>;

/** Medians by scenario and daemon; ours is named `ours`. */
export type Comparison = Record<string, Record<string, Medians>>;

export interface CompareOptions {
  /** The folder of compare.py; by default FLATROUTE_BENCH_DIR, or shared/bench beside the clone. */
  folder?: string;
  scenarios: string;
  /** Daemons besides ours, with commas. */
  peers: string;
  rounds: number;
  /** More options for the load generator. */
  extra: string;
}

/** Where compare.py is. Throws an Error that says how to name another place. */
export function benchFolder(given?: string): string {
  const folder = resolve(given ?? process.env.FLATROUTE_BENCH_DIR ?? join(repository, '../shared/bench'));
  if (existsSync(join(folder, 'compare.py'))) return folder;
  throw new Error(
    `${folder} has no compare.py, the load generator; name its folder with --bench-dir or FLATROUTE_BENCH_DIR`,
  );
}

/** Runs the comparison with our reflector as it is started on a machine. Throws when it fails. */
export async function compare(options: CompareOptions): Promise<Comparison> {
  const { folder, scenarios, peers, rounds, extra } = options;
  const script = join(benchFolder(folder), 'compare.py');
  const ours = `${join(repository, 'node_modules/.bin/flatroute')} reflector --config {config}`;
  const only = [...peers.split(',').filter((name) => name !== ''), 'ours'].join(',');
  const args = [
    script,
    '--scenario',
    scenarios,
    '--only',
    only,
    '-n',
    String(rounds),
    '--json',
    '--ours',
    ours,
  ];
  if (extra !== '') args.push(`--extra=${extra}`);
  const work = mkdtempSync(join(tmpdir(), 'flatroute-bench-'));
  // Daemons that drop their privileges have files in it.
  chmodSync(work, 0o755);
  const comparison = parseComparison(await runPython(args, work));
  // After a failure the logs of the daemons stay there.
  rmSync(work, { recursive: true });
  return comparison;
}

/** Reads what compare.py prints with --json. */
export function parseComparison(output: string): Comparison {
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(line) as Comparison;
  } catch {
    throw new Error(`compare.py printed no JSON but: ${output.slice(-500)}`);
  }
}

function runPython(args: string[], work: string): Promise<string> {
  const env = { ...process.env, TMPDIR: work };
  const child = spawn('python3', args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  // It removes its namespaces on SIGINT, which a terminal sends to it as well; on SIGTERM it would not.
  const stop = () => child.kill('SIGINT');
  process.once('SIGTERM', stop).once('SIGINT', stop);
  return new Promise((fulfil, reject) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('error', (error) => reject(new Error(`python3 cannot be run: ${error.message}`)));
    child.on('close', (code, signal) => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      if (code === 0) fulfil(output);
      else reject(new Error(`compare.py ended with ${signal ?? `exit code ${code}`}; logs: ${work}`));
    });
  });
}
