/**
 * `npm run bench -- NAME [--json] [--write] [OPTIONS]`: runs a benchmark and prints a table; with `--json` the last line
 * is one JSON document. Exits with 1 when a bound is missed, with 2 when the benchmark cannot run. `--write` writes the
 * data to docs/benchmarks, and the tables to the benchmark's document.
 */
import { parseArgs } from 'node:util';
import type { Benchmark } from './benchmark.ts';
import { writeDocument } from './document.ts';
import { growth } from './growth.ts';
import { micro } from './micro.ts';
import { reflector } from './reflector.ts';
import { printed } from './result.ts';
import { scale } from './scale.ts';
import { slices } from './slices.ts';
import { slowClient } from './slow-client.ts';
import { soakTest } from './soak.ts';

const benchmarks: readonly Benchmark[] = [reflector, growth, micro, slowClient, soakTest, slices, scale];
const COMMON = { json: { type: 'boolean' }, write: { type: 'boolean' } } as const;

function usage(): string {
  const lines = benchmarks.map(({ name, title, options }) => {
    const own = Object.entries(options).map(([key, { type }]) =>
      type === 'string' ? `--${key} …` : `--${key}`,
    );
    return `  ${name.padEnd(12)}${title}${own.length > 0 ? `\n${' '.repeat(14)}${own.join(' ')}` : ''}\n`;
  });
  return `npm run bench -- NAME [--json] [--write] [OPTIONS]\n\n${lines.join('')}`;
}

async function runBenchmark(benchmark: Benchmark, args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { ...benchmark.options, ...COMMON } });
  const { json = false, write = false, ...rest } = values as Record<string, string | boolean>;
  const result = await benchmark.run(rest);
  process.stdout.write(`${printed(result.rows)}\n`);
  for (const note of result.notes) process.stdout.write(`${note}\n\n`);
  if (write) for (const file of writeDocument(benchmark, result)) process.stdout.write(`wrote ${file}\n`);
  if (json) process.stdout.write(`${JSON.stringify({ name: benchmark.name, rows: result.rows })}\n`);
  return result.rows.every(({ ok }) => ok) ? 0 : 1;
}

async function main([name, ...args]: string[]): Promise<number> {
  const benchmark = benchmarks.find((candidate) => candidate.name === name);
  if (benchmark) return runBenchmark(benchmark, args);
  process.stderr.write(`${name === undefined ? '' : `there is no benchmark ${name}\n\n`}${usage()}`);
  return 2;
}

// A reader such as head(1) may close the pipe early.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
