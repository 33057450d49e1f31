/**
 * Coverage of the sources from the files that V8 writes (NODE_V8_COVERAGE). Types are stripped in place, so the offsets
 * are those of the sources. A branch is a block with its own count.
 */

import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { mergeProcessCovs, type ProcessCov, type ScriptCov } from '@bcoe/v8-coverage';

/** A top-level statement that is more than a type. */
const CODE = /^(export )?(async |abstract )?(class|function|const|let|for|if)\b|^export (\*|\{)/m;

/** Counts of one file or folder. */
export interface Coverage {
  lines: number;
  linesRun: number;
  branches: number;
  branchesRun: number;
}

/** The counts of a file, and the numbers of lines that did not run. */
export interface FileCoverage extends Coverage {
  file: string;
  missed: number[];
}

/** Reads and merges what the processes wrote to `folder`, for the files below `root` that `accepts` selects. */
export function readCoverage(
  folder: string,
  root: string,
  accepts: (file: string) => boolean,
): Map<string, ScriptCov> {
  const prefix = pathToFileURL(`${root}/`).href;
  let merged: ProcessCov = { result: [] };
  for (const name of readdirSync(folder)) {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as ProcessCov;
    const scripts = result.filter(
      ({ url }) => url.startsWith(prefix) && accepts(relative(root, fileURLToPath(url))),
    );
    // One after the other: all at once take more memory than the tests.
    merged = mergeProcessCovs([merged, { result: scripts }]);
  }
  return new Map(merged.result.map((script) => [relative(root, fileURLToPath(script.url)), script]));
}

/** The coverage of a source; without a script the file was never loaded. */
export function fileCoverage(file: string, source: string, script: ScriptCov | undefined): FileCoverage {
  const counts = new Int32Array(source.length).fill(script ? 1 : 0);
  const ranges = (script?.functions ?? []).flatMap((one) =>
    one.ranges.map((range, index) => ({ ...range, index })),
  );
  // The widest first, so that ranges within override it.
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const { startOffset, endOffset, count } of ranges) counts.fill(count, startOffset, endOffset);
  const blocks = ranges.filter(({ index }) => index > 0);
  const result: FileCoverage = {
    file,
    lines: 0,
    linesRun: 0,
    branches: blocks.length,
    branchesRun: blocks.filter(({ count }) => count > 0).length,
    missed: [],
  };
  let offset = 0;
  for (const [index, line] of source.split('\n').entries()) {
    const code = line.trimStart();
    const start = offset + line.length - code.length;
    offset += line.length + 1;
    // Comments and closing brackets do nothing.
    if (!/[\w'"`]/.test(code) || /^(\/\/|\/\*|\*)/.test(code)) continue;
    result.lines++;
    if (counts.subarray(start, start + code.trimEnd().length).some((count) => count > 0)) result.linesRun++;
    else result.missed.push(index + 1);
  }
  return result;
}

/** The sum of several counts. */
export function sumOf(parts: readonly Coverage[]): Coverage {
  const sum = (key: keyof Coverage) => parts.reduce((total, part) => total + part[key], 0);
  return {
    lines: sum('lines'),
    linesRun: sum('linesRun'),
    branches: sum('branches'),
    branchesRun: sum('branchesRun'),
  };
}

const percent = (run: number, all: number): string => `${((100 * run) / Math.max(1, all)).toFixed(1)} %`;

/** "5, 7–9" for [5, 7, 8, 9]. */
export function lineRanges(lines: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const line of lines) {
    const last = ranges.at(-1);
    if (last && line === last[1] + 1) last[1] = line;
    else ranges.push([line, line]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}

/** Lines to print: the sum for each folder below `root`, and every file with lines that did not run. */
export function coverageLines(folder: string, root: string, folders: readonly string[]): string[] {
  const scripts = readCoverage(folder, root, (file) => folders.some((one) => file.startsWith(`${one}/`)));
  return folders.flatMap((one) => {
    const files = globSync(`${one}/**/*.ts`, { cwd: root }).sort();
    const covered = files.flatMap((file) => {
      const source = readFileSync(join(root, file), 'utf8');
      // A file of types alone is never loaded.
      return CODE.test(source) ? [fileCoverage(file, source, scripts.get(file))] : [];
    });
    const { lines, linesRun, branches, branchesRun } = sumOf(covered);
    const sum = `${one}: ${percent(linesRun, lines)} of ${lines} lines, ${percent(branchesRun, branches)} of ${branches} branches`;
    const rest = covered.filter(({ missed }) => missed.length > 0);
    return [sum, ...rest.map(({ file, missed }) => `  ${file}: not run: ${lineRanges(missed)}`)];
  });
}
