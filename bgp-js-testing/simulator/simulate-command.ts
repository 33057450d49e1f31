/**
 * `npm run simulate -- [--scenario NAME] [--from SEED] [--seeds N] [--verbose]`: runs scenarios from seeds and prints
 * those that fail. Exits with 1 when any does. `--verbose` prints the trace of each.
 */
import { parseArgs } from 'node:util';
import { report, runScenario, SCENARIOS } from './scenario.ts';

/** The run ends after this many failing seeds. */
const MAX_FAILURES = 20;

function wholeNumber(text: string, option: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`--${option} ${text} is not a whole number of at least ${least}`);
}

function main(): number {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      from: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '1000' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const from = wholeNumber(values.from, 'from', 0);
  const count = wholeNumber(values.seeds, 'seeds', 1);
  const scenarios = values.scenario === undefined ? SCENARIOS : [values.scenario];
  const start = performance.now();
  let runs = 0;
  let quietPoints = 0;
  let failures = 0;
  for (let seed = from; seed < from + count && failures < MAX_FAILURES; seed++) {
    for (const scenario of scenarios) {
      const outcome = runScenario(scenario, seed);
      runs++;
      quietPoints += outcome.quietPoints;
      if (values.verbose) process.stdout.write(`${outcome.trace.join('\n')}\n`);
      if (outcome.problems.length === 0) continue;
      failures++;
      process.stdout.write(`FAILED ${report(outcome)}\n`);
    }
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`${runs} runs, ${quietPoints} quiet points, ${failures} failed, ${seconds} s\n`);
  return failures === 0 ? 0 : 1;
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`simulate: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
