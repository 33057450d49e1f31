import assert from 'node:assert/strict';
import { importsOf, longFunctions, withoutComments } from './sources.ts';

describe('reading sources', () => {
  it('finds every form of import', () => {
    const text = `import a from 'one';
import type { B, C } from "two";
import {
  d,
} from './three.ts';
import 'four';
export { e } from 'five';
export * from 'six';
const f = await import('seven');
// import g from 'not this';
/* import h from 'nor this'; */
`;
    const names = ['one', 'two', './three.ts', 'four', 'five', 'six', 'seven'];
    assert.deepEqual(importsOf(text).sort(), names.sort());
  });

  it('blanks comments and leaves strings and lines alone', () => {
    assert.equal(withoutComments(`a /* b\nc */ d // e\n'// f'`), `a     \n     d     \n'// f'`);
  });

  for (const head of [
    'function f() {',
    'export async function f(): Promise<void> {',
    'const f = () => {',
    'f(a: number): string {',
  ]) {
    it(`measures ${head}`, () => {
      const text = `${head}\n${'  if (a) {\n  }\n'.repeat(10)}}\n`;
      assert.deepEqual(longFunctions(text, 21), [{ line: 1, length: 22 }]);
      assert.deepEqual(longFunctions(text, 22), []);
    });
  }
});
