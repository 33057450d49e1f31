import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

/** The size of the table of descriptors of a process with a limit of open files that reserves them. */
function tableSize(limit: number): number {
  const module = new URL('../../net/descriptors.ts', import.meta.url);
  const program = `
    const { reserveDescriptors } = await import(${JSON.stringify(module)});
    reserveDescriptors();
    const { readFileSync } = await import('node:fs');
    console.log(/FDSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);`;
  const node = [process.execPath, '--input-type=module', '-e', program];
  return Number(
    execFileSync('/bin/sh', ['-c', `ulimit -n ${limit} && exec "$@"`, 'sh', ...node], { encoding: 'utf8' }),
  );
}

describe('the table of descriptors', () => {
  it('is large before clients come', () => {
    assert.equal(tableSize(10_000), 8192);
  });

  it('is as large as the limit of open files lets it be', () => {
    assert.equal(tableSize(1000), 512);
    assert.equal(tableSize(600), 512);
  });
});
