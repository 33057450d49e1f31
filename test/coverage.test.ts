import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coverageLines, lineRanges } from '../scripts/coverage.ts';

describe('coverage', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flatroute-coverage-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('tells lines and branches that no process has run', () => {
    const source = [
      'export function choose(a: number): string {',
      '  // A comment is no line of code.',
      "  if (a > 1) return 'many';",
      '  if (a < 0) {',
      "    return 'none';",
      '  }',
      "  return 'one';",
      '}',
      'export function never(): void {',
      '  choose(7);',
      '}',
    ].join('\n');
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    mkdirSync(join(folder, 'src'));
    writeFileSync(join(folder, 'src/choose.ts'), source);
    writeFileSync(join(folder, 'src/idle.ts'), 'export const idle = 1;\n');
    const env = { ...process.env, NODE_V8_COVERAGE: join(folder, 'raw') };
    for (const a of [1, 2]) {
      const program = `import { choose } from ${JSON.stringify(join(folder, 'src/choose.ts'))}; choose(${a});`;
      const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { env });
      assert.equal(status, 0, String(stderr));
    }
    const lines = coverageLines(join(folder, 'raw'), folder, ['src']);
    assert.match(lines[0], /^src: 62\.5 % of 8 lines, /);
    assert.deepEqual(lines.slice(1), ['  src/choose.ts: not run: 5, 10', '  src/idle.ts: not run: 1']);
  });

  it('joins the numbers of lines that follow each other', () => {
    assert.equal(lineRanges([5, 7, 8, 9, 12]), '5, 7–9, 12');
    assert.equal(lineRanges([]), '');
  });
});
