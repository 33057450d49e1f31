/**
 * `npm run interop [-- KIND…] [ROW…] [--keep FOLDER]`: runs the cells of these kinds of routers and rows, by default all,
 * and prints the matrix. Exits with 1 when a cell failed.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mapLimit } from '../lab/wait.ts';
import { type CellOutcome, cellsOf, runCell } from './matrix.ts';
import { ROUTER_NAMES, versionOf } from './peers/index.ts';
import { ROUTER_KINDS, type RouterKind } from './peers/router.ts';
import { ROWS } from './rows/index.ts';
import { verify } from './verify.ts';

/** Cells run at once, because they mostly wait for sessions and timers. */
const AT_ONCE = 6;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { keep: { type: 'string' } } });
const kinds = ROUTER_KINDS.filter((kind) => positionals.includes(kind));
const rows = ROWS.filter((row) => positionals.includes(row.name));
const unknown = positionals.filter(
  (word) => !kinds.includes(word as RouterKind) && !rows.some((row) => row.name === word),
);
if (unknown.length > 0) {
  const names = [...ROUTER_KINDS, ...ROWS.map((row) => row.name)];
  process.stderr.write(`no such router or row: ${unknown.join(', ')}; there are ${names.join(', ')}\n`);
  process.exit(1);
}

const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'flatroute-interop-'));
if (values.keep) mkdirSync(values.keep, { recursive: true, mode: 0o700 });
const chosen = { kinds: kinds.length > 0 ? kinds : ROUTER_KINDS, rows: rows.length > 0 ? rows : ROWS };
const outcomes = await mapLimit(cellsOf(chosen.kinds, chosen.rows), AT_ONCE, async (cell) => {
  const outcome = await runCell(cell, folder);
  if (process.stderr.isTTY || outcome.status === 'failed') {
    process.stderr.write(
      `${outcome.seconds.toFixed(1).padStart(5)} s  ${cell.kind} ${cell.row.name}: ${outcome.status}\n`,
    );
  }
  return outcome;
});
await print(outcomes);
const verdict = await verify(outcomes, folder);
process.stdout.write(`
tshark and scapy: ${verdict.messages} messages of ours with ${verdict.routes} routes read, ${verdict.complaints.length} complaints
`);
for (const complaint of verdict.complaints) process.stdout.write(`  ${complaint}\n`);
if (!values.keep) rmSync(folder, { recursive: true });
process.exitCode =
  outcomes.some(({ status }) => status === 'failed') || verdict.complaints.length > 0 ? 1 : 0;

async function print(all: CellOutcome[]): Promise<void> {
  const versions = await Promise.all(chosen.kinds.map(versionOf));
  const heads = chosen.kinds.map((kind, index) => `${ROUTER_NAMES[kind]} ${versions[index]}`);
  const lines = [['', ...heads]];
  const notes: string[] = [];
  for (const row of chosen.rows) {
    const cells = chosen.kinds.map((kind) => {
      const outcome = all.find(({ cell }) => cell.row === row && cell.kind === kind)!;
      if (outcome.status === 'lacks') notes.push(outcome.text);
      return outcome.status === 'lacks' ? `lacks [${notes.length}]` : outcome.status;
    });
    lines.push([row.name, ...cells]);
  }
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  for (const line of lines) {
    process.stdout.write(
      `${line
        .map((text, column) => text.padEnd(widths[column]))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
  process.stdout.write('\n');
  for (const row of chosen.rows) process.stdout.write(`${row.name.padEnd(widths[0])}  ${row.title}\n`);
  notes.forEach((note, index) => {
    process.stdout.write(`\n[${index + 1}] ${note}\n`);
  });
  for (const { cell, status, text } of all) {
    if (status === 'failed') process.stdout.write(`\nFAILED ${cell.kind} ${cell.row.name}\n${text}\n`);
  }
}
