/**
 * `npm test [-- FILE…]`: the checks, then every test file of every workspace, labs included. Each file runs in its own
 * process, as many at once as there are cores, so that a crash or a hang is attributed to its file and stops no other.
 * The last line is `N passed, N failed`; exits with 1 when a test failed or none ran.
 */

import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { coverageLines } from './coverage.ts';

const root = join(import.meta.dirname, '..');
const bin = (name: string) => join(root, 'node_modules/.bin', name);
/** A file that takes longer is killed and counts as failed. */
const timeLimitMs = 5 * 60_000;

interface Job {
  name: string;
  command: string[];
  /** Where mocha writes its report; without one the job is a single test that passes by exit code 0. */
  report?: string;
  /** Where V8 writes its coverage, if it is measured. */
  coverage?: string;
}

interface Outcome {
  passed: number;
  /** A text for each failed test. */
  failures: string[];
}

/** The part of mocha's JSON report that this program reads. */
interface MochaReport {
  stats: { passes: number; pending: number; failures: number };
  pending: { fullTitle: string }[];
  failures: { fullTitle: string; err: { stack?: string; message?: string } }[];
}

const folder = mkdtempSync(join(tmpdir(), 'flatroute-test-'));
const coverageFolder = join(folder, 'coverage');
/** Test files whose coverage of the protocol is measured; that of the package runs npm and compiled files. */
const covering = /^(?!bgp-js\/test\/package)(bgp-js|bgp-js-testing|reflector|agent\/test\/config)\//;
const coveredFolders = ['bgp-js/wire', 'bgp-js/session', 'bgp-js/rib', 'bgp-js/speaker'];

function jobs(patterns: string[]): Job[] {
  const wanted = patterns.length > 0 ? patterns : ['{test,*/test}/**/*.test.ts'];
  // Labs first: they mostly wait for hold timers, and the other tests fill the gaps.
  const files = globSync(wanted, { cwd: root, exclude: ['**/node_modules/**'] }).sort(
    (a, b) => Number(b.startsWith('labtests')) - Number(a.startsWith('labtests')) || a.localeCompare(b),
  );
  const tests = files.map((file, index): Job => {
    const report = join(folder, `${index}.json`);
    const reporter = ['--reporter', 'json', '--reporter-option', `output=${report}`];
    const coverage = patterns.length === 0 && covering.test(file) ? coverageFolder : undefined;
    return { name: file, command: [bin('mocha'), ...reporter, file], report, coverage };
  });
  if (patterns.length > 0) return tests;
  return [
    { name: 'types', command: [bin('tsc'), '--noEmit'] },
    { name: 'types of the page', command: [bin('tsc'), '--noEmit', '-p', 'common/http/page'] },
    { name: 'lint and format', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
    { name: 'unused exports, files and packages', command: [bin('knip'), '--no-progress'] },
    { name: 'API reference', command: [process.execPath, join(root, 'scripts/docs.ts'), '--check'] },
    ...tests,
  ];
}

/** Runs a command; returns its output, and the problem when it did not exit with 0. */
function execute(command: string[], coverage?: string): Promise<{ output: string; problem?: string }> {
  const [file, ...args] = command;
  const env = coverage ? { ...process.env, NODE_V8_COVERAGE: coverage } : process.env;
  const child = spawn(file, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  return new Promise((resolve) => {
    let output = '';
    let problem: string | undefined;
    const collect = (text: string) => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    const timer = setTimeout(() => {
      problem = `did not exit within ${timeLimitMs / 1000} s`;
      child.kill('SIGKILL');
    }, timeLimitMs);
    child.on('error', (error) => {
      problem = error.message;
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      if (code !== 0) problem ??= signal ? `was killed by ${signal}` : `exited with ${code}`;
      resolve({ output, problem });
    });
  });
}
const running = new Set<ReturnType<typeof spawn>>();

function readReport(file: string): MochaReport | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as MochaReport;
  } catch {
    return undefined; // mocha crashed before it could write one
  }
}

async function runJob({ command, report, coverage }: Job): Promise<Outcome> {
  const { output, problem } = await execute(command, coverage);
  if (!report) return { passed: problem ? 0 : 1, failures: problem ? [`${problem}\n${output}`] : [] };
  const parsed = readReport(report);
  if (!parsed) return { passed: 0, failures: [`${problem ?? 'wrote no report'}\n${output}`] };
  const failures = parsed.failures.map(({ fullTitle, err }) => `${fullTitle}\n${err.stack ?? err.message}`);
  failures.push(...parsed.pending.map(({ fullTitle }) => `${fullTitle}\nskipped: every test must run`));
  const { passes } = parsed.stats;
  if (failures.length === 0 && passes === 0) failures.push('this file has no test');
  // For instance when an open handle kept the process alive until it was killed.
  if (failures.length === 0 && problem)
    failures.push(`all tests passed, but the process ${problem}\n${output}`);
  return { passed: passes, failures };
}

async function main(): Promise<number> {
  const queue = jobs(process.argv.slice(2));
  const total: Outcome = { passed: 0, failures: [] };
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) {
      const start = performance.now();
      const { passed, failures } = await runJob(job);
      const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(6);
      const counts = failures.length > 0 ? `${passed} passed, ${failures.length} FAILED` : `${passed} passed`;
      process.stdout.write(`${seconds} s  ${job.name}: ${counts}\n`);
      total.passed += passed;
      total.failures.push(...failures.map((text) => `${job.name}: ${text}`));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  if (existsSync(coverageFolder)) {
    process.stdout.write(`\ncoverage\n${coverageLines(coverageFolder, root, coveredFolders).join('\n')}\n`);
  }
  for (const failure of total.failures) process.stdout.write(`\nFAILED ${failure}\n`);
  process.stdout.write(`\n${total.passed} passed, ${total.failures.length} failed\n`);
  return total.failures.length === 0 && total.passed > 0 ? 0 : 1;
}

// On a signal tests clean up, so they get the signal and this process waits for them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    for (const child of running) child.kill('SIGTERM');
    process.exitCode = 1;
  });
}
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.channel?.unref();
process.exit(await main());
