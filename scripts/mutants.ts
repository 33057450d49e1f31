/**
 * `npm run mutants -- [--seed N] [--count N] [--jobs N] [--out FILE] [GLOB…]`: checks whether the tests catch faults.
 *
 * Selects small faults at random (a swapped operator, a negated condition, an incremented number, a removed call),
 * applies one at a time to a copy of the repository, and runs the tests that should fail. A fault that no test catches
 * survives: a test is missing, the code is dead, or the change has no effect. The same seed selects the same faults.
 *
 * FILE gets one line of JSON for each mutant. An interrupted run resumes where it stopped.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type AnyNode, parse } from 'acorn';
import { full } from 'acorn-walk';

const root = join(import.meta.dirname, '..');
/** The sources that ship. */
const SOURCES = [
  'bgp-js/**/*.ts',
  'common/**/*.ts',
  'agent/**/*.ts',
  'reflector/**/*.ts',
  'cni/**/*.ts',
  'cli/**/*.ts',
];

/** Which tests should catch a fault in a source, the fastest first. A step runs only when the one before passed. */
const TESTS: readonly { sources: RegExp; steps: string[][] }[] = [
  {
    sources: /^bgp-js\/net\//,
    steps: [['bgp-js/test/net/**/*.test.ts']],
  },
  {
    sources: /^bgp-js\//,
    steps: [
      ['bgp-js/test/{ip,util,wire,rib,session,speaker,views}/**/*.test.ts'],
      ['bgp-js/test/hostile/*.test.ts', 'bgp-js-testing/test/**/*.test.ts', 'reflector/test/**/*.test.ts'],
    ],
  },
  {
    sources: /^agent\//,
    steps: [['agent/test/**/*.test.ts'], ['labtests/test/{pods,reload,failures}.test.ts']],
  },
  {
    sources: /^common\//,
    steps: [
      ['common/test/**/*.test.ts'],
      ['{cli,reflector}/test/**/*.test.ts', 'agent/test/{config,status}/**/*.test.ts'],
    ],
  },
  { sources: /^reflector\//, steps: [['reflector/test/**/*.test.ts'], ['labtests/test/reflection.test.ts']] },
  { sources: /^cni\//, steps: [['cni/test/**/*.test.ts'], ['agent/test/pods/*.test.ts']] },
  { sources: /^cli\//, steps: [['cli/test/**/*.test.ts']] },
];

/** A test step that takes longer has failed: the fault made it hang. */
const STEP_LIMIT_MS = 240_000;

const OPPOSITE: Record<string, string> = {
  ...{ '<': '<=', '<=': '<', '>': '>=', '>=': '>', '===': '!==', '!==': '===' },
  ...{ '&&': '||', '||': '&&', '??': '&&', '+': '-', '-': '+', '&': '|', '|': '&', '>>>': '<<', '<<': '>>>' },
  ...{ '+=': '-=', '-=': '+=', '|=': '&=', '&=': '|=' },
};

const KINDS = ['operator', 'condition', 'boolean', 'number', 'call'] as const;
type Kind = (typeof KINDS)[number];

/** A fault: the text from `start` to `end` of the file is replaced. */
interface Mutant {
  file: string;
  line: number;
  kind: Kind;
  from: string;
  to: string;
  start: number;
  end: number;
}

/** The outcome of a mutant. */
interface Result extends Omit<Mutant, 'start' | 'end'> {
  caught: boolean;
  /** The test step that caught it, or `survived`. */
  how: string;
  seconds: number;
}

/** All mutants of a file. */
function mutantsOf(file: string): Mutant[] {
  const source = readFileSync(join(root, file), 'utf8');
  // Type stripping leaves blanks, so a position in the JavaScript is the same in the TypeScript.
  const tree = parse(stripTypeScriptTypes(source), { ecmaVersion: 'latest', sourceType: 'module' });
  const found: Mutant[] = [];
  const add = (kind: Kind, start: number, end: number, to: string) => {
    const line = source.slice(0, start).split('\n').length;
    found.push({ file, line, kind, from: source.slice(start, end), to, start, end });
  };
  full(tree, (anyNode) => {
    const node = anyNode as AnyNode;
    if (node.type === 'IfStatement') {
      add('condition', node.test.start, node.test.end, `!(${source.slice(node.test.start, node.test.end)})`);
    } else if (node.type === 'Literal' && typeof node.value === 'boolean') {
      add('boolean', node.start, node.end, String(!node.value));
    } else if (node.type === 'Literal' && Number.isInteger(node.value)) {
      add('number', node.start, node.end, String(Number(node.value) + 1));
    } else if (node.type === 'ExpressionStatement' && node.expression.type === 'CallExpression') {
      add('call', node.start, node.end, ';');
    } else if (
      node.type === 'BinaryExpression' ||
      node.type === 'LogicalExpression' ||
      node.type === 'AssignmentExpression'
    ) {
      const to = OPPOSITE[node.operator];
      const start = source.indexOf(node.operator, node.left.end);
      const isText = [node.left, node.right].some(
        (side) =>
          side.type === 'TemplateLiteral' || (side.type === 'Literal' && typeof side.value === 'string'),
      );
      if (to && start < node.right.start && !(node.operator === '+' && isText)) {
        add('operator', start, start + node.operator.length, to);
      }
    }
  });
  return found;
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Selects `count` of the mutants, each kind with the same probability. */
function select(all: Mutant[], count: number, seed: number): Mutant[] {
  const random = seededRandom(seed);
  const pools = KINDS.map((kind) => all.filter((mutant) => mutant.kind === kind));
  return Array.from({ length: count }, () => {
    const filled = pools.filter((pool) => pool.length > 0);
    const pool = filled[Math.floor(random() * filled.length)];
    return pool?.splice(Math.floor(random() * pool.length), 1)[0];
  }).filter((mutant) => mutant !== undefined);
}

/** Copies the repository, with hard links to its packages. Returns the folder of the copy. */
function copyRepository(): string {
  const folder = mkdtempSync(join(tmpdir(), 'flatroute-mutants-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const files = spawnSync('git', ['ls-files', '-z'], { cwd: root });
  const copied = spawnSync(
    'cp',
    ['--parents', '-t', folder, ...files.stdout.toString().split('\0').filter(Boolean)],
    {
      cwd: root,
    },
  );
  const linked = spawnSync('cp', ['-al', join(root, 'node_modules'), folder]);
  if (copied.status !== 0 || linked.status !== 0) throw new Error(`cannot copy the repository to ${folder}`);
  for (const built of globSync('*/{build,dist}', { cwd: root })) {
    spawnSync('cp', ['-r', '--parents', '-t', folder, built], { cwd: root });
  }
  return folder;
}

/** Runs the tests of a step; true when they pass. */
function passes(folder: string, step: string[]): Promise<boolean> {
  const mocha = join(folder, 'node_modules/.bin/mocha');
  const child = spawn(mocha, ['--bail', '--exit', ...step], {
    cwd: folder,
    stdio: 'ignore',
    timeout: STEP_LIMIT_MS,
  });
  return new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
}

async function run(folder: string, { start, end, ...mutant }: Mutant): Promise<Result> {
  const path = join(folder, mutant.file);
  const source = readFileSync(path, 'utf8');
  const began = performance.now();
  const result = (how: string): Result => {
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    return { ...mutant, caught: how !== 'survived', how, seconds };
  };
  try {
    writeFileSync(path, source.slice(0, start) + mutant.to + source.slice(end));
    const { steps } = TESTS.find(({ sources }) => sources.test(mutant.file)) ?? { steps: [] };
    for (const step of steps) if (!(await passes(folder, step))) return result(step.join(' '));
    return result('survived');
  } finally {
    writeFileSync(path, source);
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '50' },
      jobs: { type: 'string', default: '2' },
      out: { type: 'string', default: 'mutants.jsonl' },
    },
  });
  const patterns = positionals.length > 0 ? positionals : SOURCES;
  const exclude = ['**/test/**', '**/node_modules/**', '**/dist/**', '**/build/**', '**/*.d.ts'];
  const files = globSync(patterns, { cwd: root, exclude }).sort();
  const selected = select(files.flatMap(mutantsOf), Number(values.count), Number(values.seed));
  const results = existsSync(values.out)
    ? readFileSync(values.out, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Result)
    : [];
  const keyOf = ({ file, line, kind, from }: Omit<Mutant, 'start' | 'end'>) =>
    `${file}:${line} ${kind} ${from}`;
  const done = new Set(results.map(keyOf));
  const queue = selected.filter((mutant) => !done.has(keyOf(mutant)));
  const worker = async () => {
    const folder = copyRepository();
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      const result = await run(folder, mutant);
      results.push(result);
      appendFileSync(values.out, `${JSON.stringify(result)}\n`);
      process.stdout.write(`${describe(result)}\n`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
  const survivors = results.filter(({ caught }) => !caught);
  process.stdout.write(`\n${survivors.map(describe).join('\n')}\n`);
  process.stdout.write(`${results.length - survivors.length} of ${results.length} caught\n`);
}

function describe({ caught, file, line, from, to, seconds }: Result): string {
  const short = (text: string) => text.replaceAll(/\s+/g, ' ').slice(0, 60);
  return `${caught ? 'caught  ' : 'SURVIVED'} ${String(seconds).padStart(6)} s  ${file}:${line}  ${short(from)}  →  ${short(to)}`;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
await main();
