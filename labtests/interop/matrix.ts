/** Cells of the matrix and their running: a row tried against a kind of router, on a bench of its own. */

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { InteropBench } from './bench.ts';
import { ROUTER_KINDS, type RouterKind } from './peers/router.ts';
import { ROWS } from './rows/index.ts';
import type { MatrixRow } from './rows/row.ts';

export interface MatrixCell {
  row: MatrixRow;
  kind: RouterKind;
  /** 1–250, and unlike that of any other cell: its addresses. */
  number: number;
}

export interface CellOutcome {
  cell: MatrixCell;
  /** `lacks`: the router cannot do it, and `text` says how that was seen. `failed`: `text` is the error. */
  status: 'passed' | 'lacks' | 'failed';
  text: string;
  seconds: number;
  /** What was captured, in the folder that `runCell` was given. */
  pcap?: string;
  /** Our addresses in that capture, and the prefixes that we meant to announce in it. */
  ourAddresses: string[];
  originated: string[];
}

/** The cells of some rows and kinds; all when not told which. */
export function cellsOf(
  kinds: readonly RouterKind[] = ROUTER_KINDS,
  rows: readonly MatrixRow[] = ROWS,
): MatrixCell[] {
  return kinds.flatMap((kind) =>
    rows.map((row) => ({
      row,
      kind,
      number: 1 + ROUTER_KINDS.indexOf(kind) * ROWS.length + ROWS.indexOf(row),
    })),
  );
}

/** Runs one cell. Never rejects; what cannot be cleaned up is a failure, too. */
export async function runCell(cell: MatrixCell, folder: string): Promise<CellOutcome> {
  const started = performance.now();
  const outcome: CellOutcome = {
    cell,
    status: 'passed',
    text: '',
    seconds: 0,
    ourAddresses: [],
    originated: [],
  };
  let bench: InteropBench | undefined;
  try {
    bench = await InteropBench.open(cell.kind, cell.number);
    const lack = cell.row.lacks?.[cell.kind];
    if (lack) {
      outcome.text = await lack(bench);
      outcome.status = 'lacks';
    } else await cell.row.run(bench);
  } catch (error) {
    outcome.status = 'failed';
    outcome.text = `${(error as Error).stack}${await sideViews(bench)}`;
  }
  try {
    outcome.pcap = await keepCapture(bench, cell, folder);
    if (bench) {
      outcome.ourAddresses = [bench.ours.ipv4, bench.ours.ipv6];
      outcome.originated = bench.originated;
    }
    const left = (await bench?.close()) ?? [];
    if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`);
  } catch (error) {
    outcome.status = 'failed';
    outcome.text += `\n${(error as Error).message}`;
  }
  outcome.seconds = (performance.now() - started) / 1000;
  return outcome;
}

async function keepCapture(
  bench: InteropBench | undefined,
  cell: MatrixCell,
  folder: string,
): Promise<string | undefined> {
  const file = await bench?.endCapture();
  if (!file) return undefined;
  const kept = join(folder, `${cell.kind}-${cell.row.name}.pcap`);
  copyFileSync(file, kept);
  return kept;
}

/** What both sides say of a session that went wrong. */
async function sideViews(bench: InteropBench | undefined): Promise<string> {
  if (!bench) return '';
  const ours = await speakerTells(bench);
  const theirs = await routerTells(bench);
  const tail = theirs.trimEnd().split('\n').slice(-40).join('\n');
  return `\nour speaker: ${ours}\n${bench.kind}:\n${tail}`;
}

async function routerTells(bench: InteropBench): Promise<string> {
  try {
    return await bench.router.tells();
  } catch (error) {
    return `${bench.routerLogs()}\n${(error as Error).message}`;
  }
}

async function speakerTells(bench: InteropBench): Promise<string> {
  try {
    const { state, lastError, capabilities } = await bench.speaker.peer();
    return `${state}, last error: ${lastError?.text ?? 'none'}; ${capabilities.join(', ')}`;
  } catch (error) {
    return (error as Error).message;
  }
}
