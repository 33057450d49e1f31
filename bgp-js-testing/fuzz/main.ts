/**
 * `npm run fuzz -- [--minutes N] [--seed S] [--save FOLDER] [--replay FILE]`: fuzzes the speaker for N minutes from
 * seed S on, and saves failing programs as files. `npm test` replays those in `bgp-js-testing/fuzz/findings`. Exits with
 * 1 when a program failed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Finding, findingOf, fuzzOne } from './fuzzer.ts';
import { formatProgram, parseProgram } from './program.ts';

/** The run ends after this many findings, which mostly have one cause. */
const ENOUGH = 20;
const REPORT_MS = 60_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    save: { type: 'string', default: join(import.meta.dirname, 'findings') },
    replay: { type: 'string' },
  },
});

const print = (text: string) => process.stdout.write(`${text}\n`);

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new Error(`--${name} ${text} is not a number of at least 0`);
  return value;
}

function save(finding: Finding): void {
  const file = join(values.save, `seed-${finding.seed}.json`);
  mkdirSync(values.save, { recursive: true });
  writeFileSync(file, formatProgram(finding.program, finding.text.split('\n')[0]));
  print(`\nfound with seed ${finding.seed}, saved as ${file}\n${finding.text}`);
}

function fuzz(minutes: number, first: number): number {
  const start = performance.now();
  const led = new Map<string, number>();
  let seed = first;
  let findings = 0;
  let nextReport = start + REPORT_MS;
  const report = () => {
    const minutesSpent = ((performance.now() - start) / 60_000).toFixed(1);
    print(`${minutesSpent} min: ${seed - first} sessions, seeds ${first}–${seed - 1}, ${findings} findings`);
  };
  while (performance.now() - start < minutes * 60_000 && findings < ENOUGH) {
    const finding = fuzzOne(seed++, (what) => led.set(what, (led.get(what) ?? 0) + 1));
    if (finding) save(finding);
    if (finding) findings++;
    if (performance.now() < nextReport) continue;
    report();
    nextReport += REPORT_MS;
  }
  report();
  const ends = [...led].sort(([, a], [, b]) => b - a).map(([what, count]) => `${what} ${count}`);
  print(`how the sessions ended: ${ends.join(', ')}`);
  return findings;
}

function replay(file: string): number {
  const text = findingOf(parseProgram(readFileSync(file, 'utf8')), 1);
  print(text ?? 'all holds');
  return text === null ? 0 : 1;
}

const found = values.replay
  ? replay(values.replay)
  : fuzz(number('minutes', values.minutes), number('seed', values.seed));
process.exitCode = found > 0 ? 1 : 0;
