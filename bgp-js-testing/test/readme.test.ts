/** The program of the README runs as written and prints what the README says. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

describe('the README of bgp-js-testing', () => {
  it('has a simulation that prints what it says', async () => {
    const folder = join(import.meta.dirname, '..');
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    const [, code, expected] =
      /^```ts\n(.*?)^```$.*?^```\n(.*?)^```$/ms.exec(readme) ?? assert.fail('no program');
    const args = ['--input-type=module-typescript', '--eval', code];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, timeout: 50_000 });
    assert.equal(stdout, expected);
  });
});
