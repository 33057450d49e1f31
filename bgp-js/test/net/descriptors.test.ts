import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

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

describe('reserveDescriptors', () => {
  it('grows the table before clients connect', () => {
    assert.equal(tableSize(10_000), 8192);
  });

  it('runs when a host with the option accepts its first connection', () => {
    const program = join(import.meta.dirname, 'programs/first-connection.ts');
    const sizes = (option: string): number[] =>
      execFileSync(process.execPath, [program, option], { encoding: 'utf8' }).split(' ').map(Number);
    const [before, after] = sizes('reserve');
    assert.ok(before < 8192, `${before} before`);
    assert.equal(after, 8192);
    assert.ok(sizes('none')[1] < 8192, 'not without the option');
  });

  it('stops at the limit of open files', () => {
    assert.equal(tableSize(1000), 512);
    assert.equal(tableSize(600), 512);
  });
});
