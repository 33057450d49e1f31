/**
 * Configuration files: from YAML text to checked settings. All problems of a file are reported together, each with its
 * line and key, the value found, and what to do.
 */
import { open } from 'node:fs/promises';
import * as z from 'zod';
import { ConfigDocument, type ConfigProblem, type KeyPath } from './document.ts';

export type { ConfigProblem, KeyPath } from './document.ts';

/**
 * Reports a problem at a path of the file. The message is appended to the value found. It says what is wrong and what
 * to do.
 */
export type Report = (path: KeyPath, message: string) => void;

/** A kind of configuration file: its keys, its rules, and the settings it becomes. */
export interface ConfigFormat<C, S> {
  /** The keys and the types of their values, each checked on its own. */
  schema: z.ZodType<C>;
  /**
   * Checks the rules between keys. It gets the unchecked content, so that one error does not hide another. Any part may
   * be missing or have a wrong type; the schema reports that.
   */
  check(content: unknown, report: Report): void;
  /** Makes the settings of a file without problems. */
  settings(config: C): S;
}

/** An invalid configuration file. The daemons exit with 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly exitCode = 2;
  readonly file: string;
  /** In the order of the file. */
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => formatProblem(file, problem)).join('\n'));
    this.file = file;
    this.problems = problems;
  }
}

/** One line: "agent.yaml:3:7: peers[0].as: 0 is reserved (RFC 7607); write …". Line 0 stands for the whole file. */
export function formatProblem(file: string, problem: ConfigProblem): string {
  const place = problem.line === 0 ? file : `${file}:${problem.line}:${problem.column}`;
  return `${place}: ${problem.key === '' ? '' : `${problem.key}: `}${problem.message}`;
}

/** Maximum size of a configuration file in bytes. */
export const MAXIMUM_CONFIG_BYTES = 1024 * 1024;

/** Reads and checks a configuration file. Throws `ConfigError` with all its problems. */
export async function loadConfig<C, S>(file: string, format: ConfigFormat<C, S>): Promise<S> {
  return parseConfig(await readText(file), file, format);
}

/** Checks the text of a configuration file; `file` is its name in errors. Throws `ConfigError` with all its problems. */
export function parseConfig<C, S>(text: string, file: string, format: ConfigFormat<C, S>): S {
  const document = new ConfigDocument(text);
  const problems = [...document.problems];
  if (!document.readable) throw new ConfigError(file, problems);
  if (document.value === null || document.value === undefined) {
    const keys = keysAt(format.schema, []).join(', ');
    throw new ConfigError(file, [
      { line: 1, column: 1, key: '', message: `the file is empty; its keys are ${keys}` },
    ]);
  }
  const result = format.schema.safeParse(document.value);
  for (const issue of result.error?.issues ?? [])
    problems.push(...issueProblems(document, issue, format.schema));
  const known = new Set(problems.map((problem) => problem.key));
  format.check(document.value, (path, message) => {
    const problem = document.problemAt(path, withFound(document, path, message));
    // Skips values that the schema has reported: this problem would only be a consequence.
    if (!known.has(problem.key)) problems.push(problem);
  });
  if (!result.success || problems.length > 0) {
    throw new ConfigError(
      file,
      problems.sort((a, b) => a.line - b.line || a.column - b.column),
    );
  }
  return format.settings(result.data);
}

async function readText(file: string): Promise<string> {
  const unusable = (message: string) => new ConfigError(file, [{ line: 0, column: 0, key: '', message }]);
  let bytes: Buffer;
  try {
    await using handle = await open(file, 'r');
    const stat = await handle.stat();
    if (!stat.isFile()) throw unusable('is not a file; give the path of a YAML file with --config');
    if (stat.size > MAXIMUM_CONFIG_BYTES)
      throw unusable(`is larger than ${MAXIMUM_CONFIG_BYTES} bytes; is it the right file?`);
    bytes = await handle.readFile();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw unusable('does not exist; give the path of the file with --config');
    if (code === 'EACCES') throw unusable('is not readable by this user; change its mode or owner');
    throw unusable(`cannot be read: ${(error as Error).message}`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unusable('is not UTF-8 text; save it as UTF-8');
  }
}

function issueProblems(
  document: ConfigDocument,
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
): ConfigProblem[] {
  if (issue.code !== 'unrecognized_keys') {
    return [document.problemAt(issue.path, withFound(document, issue.path, issue.message))];
  }
  return issue.keys.map((key) => {
    const path = [...issue.path, key];
    return document.problemAtKey(path, `unknown key; ${advice(schema, issue.path, key)}`);
  });
}

/** The message, preceded by the value found or replaced by "is missing". */
function withFound(document: ConfigDocument, path: KeyPath, message: string): string {
  const found = document.describe(path);
  if (found !== undefined) return `${found} ${message}`;
  // Keeps only the advice: the part after a semicolon, or the example.
  return `is missing${/(;| \(example).*$/.exec(message)?.[0] ?? ''}`;
}

function advice(schema: z.ZodType, path: KeyPath, key: string): string {
  const here = keysAt(schema, path);
  const [beforeColon, value] = key.split(':');
  if (value !== undefined && here.includes(beforeColon)) return 'missing space after the colon?';
  const close = closest(key, here);
  if (close !== undefined) return `did you mean "${close}"?`;
  const elsewhere = sectionsOf(schema).filter((name) => closest(key, keysAt(schema, [name])) === key);
  if (elsewhere.length > 0) return `did you mean "${elsewhere[0]}.${key}"?`;
  return here.length > 0 ? `the keys here are ${here.join(', ')}` : 'remove it';
}

/** The keys of a schema at a path; none if it is not a mapping. */
function keysAt(schema: z.ZodType, path: KeyPath): string[] {
  let type = unwrap(schema);
  for (const part of path) {
    if (type instanceof z.ZodArray && typeof part === 'number') type = unwrap(type.element as z.ZodType);
    else if (type instanceof z.ZodObject && typeof part === 'string') type = unwrap(type.shape[part]);
    else if (type instanceof z.ZodRecord && typeof part === 'string')
      type = unwrap(type.valueType as z.ZodType);
    else return [];
  }
  return type instanceof z.ZodObject ? Object.keys(type.shape) : [];
}

/** All keys of a format as docs/configuration.md writes them, e.g. "bgp.holdTime" and "peers[].as". */
export function documentedKeys<C, S>({ schema }: ConfigFormat<C, S>): string[] {
  return keysAt(schema, []).flatMap((key) => {
    const inElements = keysAt(schema, [key, 0]);
    if (inElements.length > 0) return [key, ...inElements.map((name) => `${key}[].${name}`)];
    const inSection = keysAt(schema, [key]);
    return inSection.length > 0 ? inSection.map((name) => `${key}.${name}`) : [key];
  });
}

function sectionsOf(schema: z.ZodType): string[] {
  return keysAt(schema, []).filter((key) => keysAt(schema, [key]).length > 0);
}

function unwrap(type: z.ZodType): z.ZodType {
  for (;;) {
    if (type instanceof z.ZodOptional || type instanceof z.ZodDefault) type = type.unwrap() as z.ZodType;
    else if (type instanceof z.ZodPipe && type.in instanceof z.ZodTransform) type = type.out as z.ZodType;
    else return type;
  }
}

/** The candidate that a mistyped word most likely means; undefined if none is similar. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length * 0.4)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    // Short words are always similar, so more than half of the letters must agree.
    if (distance < bestDistance && distance * 2 < Math.max(candidate.length, 2)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment). */
function editDistance(a: string, b: string): number {
  if (a.length > 100 || b.length > 100) return Number.POSITIVE_INFINITY;
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, rows[i - 2][j - 2] + 1);
      }
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}
