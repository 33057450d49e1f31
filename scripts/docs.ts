/**
 * `npm run docs [-- --check]`: writes docs/api/bgp-js.md, the reference of the library, from its docstrings; with
 * `--check` it only compares, and exits with 1 when the file is not current.
 *
 * It reads the declarations that the compiler emits, whose form is regular: a statement starts in the first column,
 * after its docstring, and ends where all its brackets are closed. TypeScript 7 offers no interface to its syntax tree,
 * which the well-known generators need.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A declaration of a file: `code` is the statement as emitted, without private members. */
interface Declaration {
  name: string;
  doc: string;
  code: string;
}

/** A name that an entry of the package exports. */
interface Exported extends Declaration {
  /** The file that declares it, relative to the library. */
  file: string;
}

const NAMED = /^(?:export )?(?:declare )?(?:abstract )?(?:class|function|const|let|interface|type) \*?(\w+)/;

/** The statements at the top of a declaration file, with their docstrings. */
export function parseDeclarations(text: string): Declaration[] {
  const found: Declaration[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    let doc = takeDoc(lines, at);
    // The essay at the head of a file is not the docstring of its first declaration, which follows.
    for (let next = doc; next.length > 0; next = takeDoc(lines, at)) {
      doc = next;
      at += next.length;
    }
    if (lines[at] === undefined) break;
    const statement = takeStatement(lines, at);
    at += statement.length - 1;
    const name = NAMED.exec(statement[0])?.[1];
    if (name) found.push({ name, doc: docText(doc), code: withoutPrivate(statement).join('\n') });
  }
  return found;
}

/** The lines of the docstring that starts at a line; none when there is no docstring. */
function takeDoc(lines: readonly string[], from: number): string[] {
  if (!lines[from]?.trimStart().startsWith('/**')) return [];
  const end = lines.findIndex((line, index) => index >= from && line.includes('*/'));
  return lines.slice(from, end + 1);
}

/** The lines of the statement that starts at a line: up to where all brackets are closed. */
function takeStatement(lines: readonly string[], from: number): string[] {
  let depth = 0;
  let comment = false;
  for (let at = from; at < lines.length; at++) {
    const line = lines[at].trim();
    if (line.startsWith('/**')) comment = true;
    if (!comment) {
      const code = line.replaceAll(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|=>/g, '');
      depth += (code.match(/[{([]/g)?.length ?? 0) - (code.match(/[})\]]/g)?.length ?? 0);
      if (depth === 0 && /[;}]$/.test(line)) return lines.slice(from, at + 1);
    }
    if (line.includes('*/')) comment = false;
  }
  return lines.slice(from);
}

/** A statement without the private members of a class and their docstrings. */
function withoutPrivate(statement: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < statement.length; ) {
    const doc = at > 0 ? takeDoc(statement, at) : [];
    const member = statement[at + doc.length] ?? '';
    const isMember = /^ {4}\S/.test(member);
    const size = isMember ? takeStatement(statement, at + doc.length).length : 1;
    const isPrivate = /^ {4}(?:private |#private)/.test(member);
    if (!isPrivate) kept.push(...statement.slice(at, at + doc.length + size));
    at += doc.length + size;
  }
  return kept;
}

/** A docstring as Markdown: without the comment's frame, tags as a list. */
function docText(lines: readonly string[]): string {
  const text = lines
    .map((line) => line.replace(/^\s*\/?\*+\/?\s?/, '').replace(/\s*\*\/$/, ''))
    .join('\n')
    .trim();
  return text
    .replaceAll(/\{@link ([^}|]+)(?:\|[^}]*)?\}/g, '`$1`')
    .replaceAll(/^@param (\w+)\s*-?\s*/gm, '\n- `$1`: ')
    .replaceAll(/^@returns?\s+/gm, '\n- returns ')
    .replaceAll(/^@throws?\s+/gm, '\n- throws ')
    .replaceAll(/^@(\w+)\s*/gm, '\n- $1: ');
}

/** What a file of `folder` exports: its own declarations, and what it takes from other files. */
export function exportsOf(folder: string, file: string): Exported[] {
  const text = readFileSync(join(folder, file), 'utf8');
  const declared = parseDeclarations(text).map((one) => ({ ...one, file }));
  const found: Exported[] = declared.filter(({ code }) => code.startsWith('export '));
  const from = (path: string) => exportsOf(folder, join(dirname(file), path).replace(/\.[jt]s$/, '.d.ts'));
  for (const [, path] of text.matchAll(/^export \* from ['"]([^'"]+)['"];/gm)) found.push(...from(path));
  for (const [, list, path] of text.matchAll(/^export (?:type )?\{([^}]*)\}(?: from ['"]([^'"]+)['"])?;/gm)) {
    // Without a path, names are of this file or what it imports.
    const imports = [...text.matchAll(/^import .*\{.*\} from ['"](\.[^'"]+)['"];/gm)];
    const source = path ? from(path) : [...declared, ...imports.flatMap(([, one]) => from(one))];
    for (const item of list.split(',').map((one) => one.trim().replace(/^type /, ''))) {
      if (item === '') continue;
      const [original, alias = original] = item.split(' as ');
      // A type and a value may share a name.
      const declarations = source.filter((one) => one.name === original);
      if (declarations.length === 0) throw new Error(`${file}: no declaration of ${original} was found`);
      found.push(...declarations.map((declaration) => ({ ...declaration, name: alias })));
    }
  }
  return found;
}

/** The reference as Markdown. What an earlier entry exports too is only named again. */
export function reference(folder: string, entries: readonly { name: string; file: string }[]): string {
  const described = new Set<string>();
  const slugs = new Map<string, number>();
  const parts = entries.map((entry) => {
    const all = Map.groupBy(exportsOf(folder, entry.file), ({ name, file }) => `${file} ${name}`);
    const again = [...all].filter(([key]) => described.has(key)).map(([, [{ name }]]) => `\`${name}\``);
    const fresh = [...all].filter(([key]) => !described.has(key)).map(([, same]) => same);
    fresh.sort(([a], [b]) => (a.name < b.name ? -1 : 1));
    for (const key of all.keys()) described.add(key);
    const index = fresh.map(([{ name }]) => `[${name}](#${slugOf(name, slugs)})`);
    const paragraphs = [`## ${entry.name}`];
    if (index.length > 0) paragraphs.push(index.join(',\n'));
    if (again.length > 0)
      paragraphs.push(`Described above, and exported here as well: ${again.sort().join(', ')}.`);
    for (const same of fresh) {
      const docs = same.map(({ doc }) => doc).filter((doc) => doc !== '');
      const code = same.map((one) => one.code).join('\n');
      paragraphs.push(`### ${same[0].name}`, ...docs, `\`\`\`ts\n${code}\n\`\`\``);
    }
    return paragraphs.join('\n\n');
  });
  const introduction =
    'Made from the docstrings by `npm run docs`. The [README](../../bgp-js/README.md) has an introduction.';
  return `${['# bgp-js: API reference', introduction, ...parts].join('\n\n')}\n`;
}

/** The anchor that GitHub gives to a heading: a number follows where it was given before. */
function slugOf(name: string, slugs: Map<string, number>): string {
  const slug = name.toLowerCase();
  const count = slugs.get(slug) ?? 0;
  slugs.set(slug, count + 1);
  return count === 0 ? slug : `${slug}-${count}`;
}

function main(): number {
  const root = dirname(import.meta.dirname);
  const target = join(root, 'docs/api/bgp-js.md');
  const folder = mkdtempSync(join(tmpdir(), 'bgp-js-docs-'));
  try {
    const project = join(root, 'bgp-js/tsconfig.build.json');
    const command = ['-p', project, '--outDir', folder, '--emitDeclarationOnly'];
    const compiled = spawnSync(join(root, 'node_modules/.bin/tsc'), command, { encoding: 'utf8' });
    if (compiled.status !== 0)
      throw new Error(`bgp-js does not compile:\n${compiled.stdout}${compiled.stderr}`);
    const { exports } = JSON.parse(readFileSync(join(root, 'bgp-js/package.json'), 'utf8')) as {
      exports: Record<string, string>;
    };
    const entries = Object.entries(exports)
      .filter(([name]) => !name.includes('*'))
      .map(([name, file]) => ({
        name: `bgp-js${name.slice(1)}`,
        file: file.slice(2).replace(/\.ts$/, '.d.ts'),
      }));
    const text = reference(folder, entries);
    if (!process.argv.includes('--check')) {
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text);
      return 0;
    }
    if (readFileSync(target, 'utf8') === text) return 0;
    process.stderr.write('docs/api/bgp-js.md is not current; run npm run docs\n');
    return 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) process.exitCode = main();
