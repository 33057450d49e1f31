/** The benchmarks by their names. */
import type { ParseArgsOptionsConfig } from 'node:util';
import { growth } from './growth.ts';
import { micro } from './micro.ts';
import { reflector } from './reflector.ts';
import type { BenchResult } from './result.ts';
import { scale } from './scale.ts';
import { slices } from './slices.ts';
import { slowClient } from './slow-client.ts';
import { soakTest } from './soak.ts';

/** What `npm run bench` can run. */
export interface Benchmark {
  name: string;
  /** What it measures, in a few words. */
  title: string;
  /** Its own options; main.ts has those of all. */
  options: ParseArgsOptionsConfig;
  /** The document that its result goes into, in the repository; docs/benchmarks.md by default. */
  document?: string;
  /** Runs it with the values of its options. Throws an Error that says what keeps it from running. */
  run(values: Record<string, string | boolean | undefined>): Promise<BenchResult>;
}

export const benchmarks: readonly Benchmark[] = [
  reflector,
  growth,
  micro,
  slowClient,
  soakTest,
  slices,
  scale,
];
