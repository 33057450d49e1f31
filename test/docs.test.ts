import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { exportsOf, parseDeclarations, reference } from '../scripts/docs.ts';

describe('the API reference', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flatroute-docs-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(file: string, text: string): void {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }

  it('takes the docstring next to a declaration, not the essay of the file', () => {
    const [first, second] = parseDeclarations(
      [
        '/** An essay. */',
        '/** One. */',
        'export type A = {',
        '    b: 1;',
        '} | 2;',
        'export declare const c: 3;',
      ].join('\n'),
    );
    assert.deepEqual(first, { name: 'A', doc: 'One.', code: 'export type A = {\n    b: 1;\n} | 2;' });
    assert.deepEqual(second, { name: 'c', doc: '', code: 'export declare const c: 3;' });
  });

  it('leaves out private members with their docstrings', () => {
    const text = `export declare class A {
    #private;
    /** Hidden (. */
    private readonly hidden;
    /** Shown ). */
    shown(options: {
        private: boolean;
    }): void;
    private go(options: {
        a: 1;
    }): void;
}`;
    const [{ code }] = parseDeclarations(text);
    assert.equal(
      code,
      'export declare class A {\n    /** Shown ). */\n    shown(options: {\n        private: boolean;\n    }): void;\n}',
    );
  });

  it('lists tags, and turns links into code', () => {
    const doc = '/**\n * Adds; see {@link B}.\n * @param a the first\n * @throws RangeError always\n */';
    const [declaration] = parseDeclarations(`${doc}\nexport declare function f(a: number): void;`);
    assert.equal(declaration.doc, 'Adds; see `B`.\n\n- `a`: the first\n\n- throws RangeError always');
  });

  it('follows exports through files and describes each name once', () => {
    write('index.d.ts', "export * from './inner/a.ts';\nexport { b as c, type D } from './inner/b.js';\n");
    write('inner/a.d.ts', 'declare const hidden: 1;\nexport declare const a: 1;\n');
    write(
      'inner/b.d.ts',
      "import { type D } from './d.js';\nexport declare const b: 2;\nexport { type D };\n",
    );
    write('inner/d.d.ts', '/** Both. */\nexport type D = 1;\nexport declare const D: 2;\n');
    const names = exportsOf(folder, 'index.d.ts').map(({ name, file }) => `${name} of ${file}`);
    assert.deepEqual(names.sort(), [
      'D of inner/d.d.ts',
      'D of inner/d.d.ts',
      'a of inner/a.d.ts',
      'c of inner/b.d.ts',
    ]);
    const text = reference(folder, [
      { name: 'x', file: 'index.d.ts' },
      { name: 'x/d', file: 'inner/d.d.ts' },
    ]);
    assert.match(text, /^### c$/m);
    assert.match(text, /^## x\/d\n\nDescribed above, and exported here as well: `D`\.$/m);
    assert.equal(text.match(/Both\./g)?.length, 1);
  });

  it('fails on an export without a declaration', () => {
    write('index.d.ts', "export { b } from './a.js';\n");
    write('a.d.ts', 'export declare const a: 1;\n');
    assert.throws(() => exportsOf(folder, 'index.d.ts'), /index\.d\.ts: no declaration of b was found/);
  });
});
