/** Writes the data of a benchmark to docs/benchmarks, and its tables to the document that has a place for them. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { repository } from '../lab/processes.ts';
import type { Benchmark } from './benchmark.ts';
import { type BenchResult, cells, markdownTable } from './result.ts';

const FOLDER = join(repository, 'docs/benchmarks');

/** Writes data and tables; returns the files, as paths in the repository. */
export function writeDocument(
  { name, document }: Pick<Benchmark, 'name' | 'document'>,
  result: BenchResult,
): string[] {
  mkdirSync(FOLDER, { recursive: true });
  const data = join(FOLDER, `${name}.json`);
  writeFileSync(data, `${JSON.stringify({ name, machine: machine(name), ...result }, null, 2)}\n`);
  if (!document) return [relative(repository, data)];
  const file = join(repository, document.file);
  const table = document.rows ? [markdownTable(cells(result.rows))] : [];
  const text = [machine(name), ...result.notes, ...table].join('\n\n');
  writeFileSync(file, withSection(readFileSync(file, 'utf8'), name, text));
  return [data, file].map((path) => relative(repository, path));
}

/** The document with the text between a benchmark's marks replaced. Throws an Error when the marks are missing. */
export function withSection(document: string, name: string, text: string): string {
  const [open, close] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [document.indexOf(open), document.indexOf(close)];
  if (from < 0 || to < from) {
    throw new Error(`the document has no place for ${name}: write ${open} and ${close} where it belongs`);
  }
  return `${document.slice(0, from + open.length)}\n\n${text}\n\n${document.slice(to)}`;
}

/** The machine, the versions and the date in one sentence. */
function machine(name: string): string {
  const date = new Date().toISOString().slice(0, 10);
  const memory = Math.round(totalmem() / 2 ** 30);
  const kernel = /^\d+\.\d+/.exec(release())?.[0];
  const routers = [
    version('BIRD', 'bird', ['--version']),
    version('FRR', '/usr/lib/frr/bgpd', ['--version']),
    version('OpenBGPD', 'bgpd', ['-V']),
    version('GoBGP', 'gobgpd', ['--version']),
  ].filter((text) => text !== '');
  const others = name === 'reflector' ? `; ${routers.join(', ')}` : '';
  return `${date}, ${cpus().length} cores (${cpus()[0].model.trim()}), ${memory} GiB, Linux ${kernel}, Node.js ${process.versions.node}${others}.`;
}

function version(name: string, command: string, args: string[]): string {
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  const number = /\d+(\.\d+)+/.exec(error ? '' : `${stdout}${stderr}`)?.[0];
  return number === undefined ? '' : `${name} ${number}`;
}
