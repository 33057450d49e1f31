import type { ParseArgsOptionsConfig } from 'node:util';
import type { BenchResult } from './result.ts';

/** One of the benchmarks that `npm run bench` runs. */
export interface Benchmark {
  name: string;
  /** What it measures, in a few words. */
  title: string;
  /** Its own options; main.ts has those of all. */
  options: ParseArgsOptionsConfig;
  /** The document with a place for its result; without one `--write` writes only the data. */
  document?: {
    /** Path in the repository. */
    file: string;
    /** Whether the rows follow the notes. */
    rows: boolean;
  };
  /** Runs it with the values of its options. Throws an Error that says why it cannot run. */
  run(values: Record<string, string | boolean | undefined>): Promise<BenchResult>;
}
