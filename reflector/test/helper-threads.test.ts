import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

describe('the threads that compile and collect', () => {
  it('give way to the main one', async () => {
    const program = join(import.meta.dirname, 'helper-threads-child.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--v8-pool-size=2', program]);
    const { lowered, helpers, main } = JSON.parse(stdout) as {
      lowered: number;
      helpers: number[];
      main: number;
    };
    assert.equal(lowered, 2);
    assert.deepEqual(helpers, [19, 19]);
    assert.ok(main < 19, `the main thread has ${main}`);
  });
});
