/** One name for one thing: exported type names are unique across workspaces, and the glossary names types that exist. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSources, withoutComments } from './sources.ts';

/** Names that stand for more than one type, each with the reason. */
const SHARED: Readonly<Record<string, string>> = {};

/** The files that export a class, interface or type of each name; tests and their helpers do not count. */
function exportedTypes(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { path, text, isTest } of readSources()) {
    if (isTest || path.startsWith('test/')) continue;
    const declarations = /^export (?:abstract )?(?:class|interface|type|const) (\w+)/gm;
    for (const [, name] of withoutComments(text).matchAll(declarations)) {
      if (!/^[A-Z].*[a-z]/.test(name)) continue;
      found.set(name, [...(found.get(name) ?? []), path]);
    }
  }
  // A constant table and the type of its values share their name in one file.
  return new Map([...found].map(([name, paths]) => [name, [...new Set(paths)]]));
}

describe('names', () => {
  const types = exportedTypes();

  it('every exported type has a name of its own', () => {
    assert.ok(types.size > 100, `only ${types.size} types were found`);
    const shared = [...types].filter(([name, paths]) => paths.length > 1 && !(name in SHARED));
    assert.deepEqual(
      shared.map(([name, paths]) => `${name}: ${paths.join(', ')}`),
      [],
    );
  });

  it('every exception is still one', () => {
    const needless = Object.keys(SHARED).filter((name) => (types.get(name)?.length ?? 0) < 2);
    assert.deepEqual(needless, []);
  });

  it('the glossary names types that exist', () => {
    const text = readFileSync(join(import.meta.dirname, '../docs/glossary.md'), 'utf8');
    const named = [...text.matchAll(/\| `(\w+)` \|$/gm)].map((match) => match[1]);
    assert.ok(named.length > 40, `only ${named.length} terms were found`);
    assert.deepEqual(
      named.filter((name) => !types.has(name)),
      [],
    );
  });
});
