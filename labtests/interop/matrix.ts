/** The cells of the matrix: a row is tried against a kind of router, on its own bench. */

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { InteropBench } from './bench.ts';
import { ROUTER_KINDS, type RouterKind } from './peers/router.ts';
import { ROWS } from './rows/index.ts';
import type { MatrixRow } from './rows/row.ts';

export interface MatrixCell {
  row: MatrixRow;
  kind: RouterKind;
  /** 1–250, unique: the cell's addresses follow from it. */
  number: number;
}

export interface CellOutcome {
  cell: MatrixCell;
  /** `lacks`: the router cannot do it, and `text` is the evidence. `failed`: `text` is the error. */
  status: 'passed' | 'lacks' | 'failed';
  text: string;
  seconds: number;
  /** The capture, in the folder given to `runCell`. */
  pcap?: string;
  /** Our addresses in the capture, and the prefixes that we originated. */
  ourAddresses: string[];
  originated: string[];
}

/** The cells of some rows and kinds, by default of all. */
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

/** Runs one cell. Never rejects; an incomplete clean-up is a failure too. */
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

/** The views of both sides of a failed session. */
async function sideViews(bench: InteropBench | undefined): Promise<string> {
  if (!bench) return '';
  const ours = await speakerView(bench);
  const theirs = await routerView(bench);
  const tail = theirs.trimEnd().split('\n').slice(-40).join('\n');
  return `\nour speaker: ${ours}\n${bench.kind}:\n${tail}`;
}

async function routerView(bench: InteropBench): Promise<string> {
  try {
    return await bench.router.report();
  } catch (error) {
    return `${bench.routerLogs()}\n${(error as Error).message}`;
  }
}

async function speakerView(bench: InteropBench): Promise<string> {
  try {
    const { state, lastError, capabilities } = await bench.speaker.peer();
    return `${state}, last error: ${lastError?.text ?? 'none'}; ${capabilities.join(', ')}`;
  } catch (error) {
    return (error as Error).message;
  }
}
