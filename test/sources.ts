/** The TypeScript sources of the repository, read as text: what the architecture tests look at. */

import { globSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

const root = join(import.meta.dirname, '..');

/** One source file. */
export interface Source {
  /** Relative to the root, such as bgp-js/wire/cursor.ts. */
  path: string;
  /** The workspace's folder, such as bgp-js. */
  workspace: string;
  isTest: boolean;
  text: string;
}

/** A package.json, as far as it is read here. */
export interface Manifest {
  name: string;
  workspaces?: string[];
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** All TypeScript files outside node_modules and what was built. */
export function readSources(): Source[] {
  const files = globSync('**/*.ts', { cwd: root, exclude: ['**/node_modules/**', 'bgp-js/dist*/**'] });
  return files.sort().map((path) => {
    const parts = path.split(sep);
    return {
      path,
      workspace: parts[0],
      isTest: parts.includes('test'),
      text: readFileSync(join(root, path), 'utf8'),
    };
  });
}

/** Path and number of lines of every source in any language. */
export function sourceLengths(): { path: string; lines: number }[] {
  const exclude = (path: string) => /node_modules|\/(?:dist|build|coverage)$/.test(path);
  return globSync('**/*.{ts,mjs,js,c,h}', { cwd: root, exclude })
    .sort()
    .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1 }));
}

/** The package.json of a folder; '' is the root's. */
export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest;
}

/** Which workspaces a workspace may import, by the last column of the first table of docs/architecture.md. */
export function readLaw(): Record<string, string[]> {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([\w-]+)\/` \| `[^`]+` \|.*\|([^|]+)\|$/gm)];
  const all = rows.map((row) => row[1]);
  const law = rows.map(([, workspace, cell]) => {
    const named = [...cell.matchAll(/`([\w-]+)`/g)].map((match) => match[1]);
    const others = all.filter((other) => other !== workspace);
    const allowed = /^\s*all\b/.test(cell) ? others.filter((other) => !named.includes(other)) : named;
    return [workspace, allowed];
  });
  return Object.fromEntries(law) as Record<string, string[]>;
}

/** package-lock.json, as far as it is read here. */
export function readLock(): { packages: Record<string, { resolved?: string; link?: boolean }> } {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
}

/** The module names that a file imports or re-exports, statically or dynamically. */
export function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const patterns = [
    /^\s*(?:import|export)\s[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]));
}

/** The text with comments blanked out; lines stay where they are. */
export function withoutComments(text: string): string {
  const token = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(token, (match) => (match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match));
}

/** A function that is longer than a limit. */
export interface LongFunction {
  line: number;
  length: number;
}

/**
 * The functions of more than `limit` lines. Relies on the formatter: a function ends at the first line that closes
 * a brace at the indentation of the line that opened it.
 */
export function longFunctions(text: string, limit: number): LongFunction[] {
  const lines = withoutComments(text).split('\n');
  const opens =
    /^(\s*)(?:.*\bfunction\b.*|.*=> \{|(?!if|for|while|switch|catch|else|do|try|\}).*\) ?(?::.*)?\{)$/;
  return lines.flatMap((line, index) => {
    const indent = opens.exec(line)?.[1];
    if (indent === undefined || !line.trimEnd().endsWith('{')) return [];
    const end = lines.findIndex((other, at) => at > index && new RegExp(`^${indent}[})\\]]`).test(other));
    const length = end - index + 1;
    return length > limit ? [{ line: index + 1, length }] : [];
  });
}
