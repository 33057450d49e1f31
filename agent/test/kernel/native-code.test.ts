import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';

const root = join(import.meta.dirname, '../../..');

/** Loads the kernel folder in a separate process and prints the files of the package `netlink` it has loaded. */
const PROGRAM = `
  import { createRequire } from 'node:module';
  const folder = process.cwd() + '/agent/kernel/';
  for (const name of ['address', 'link', 'neighbour', 'route-sync']) await import(folder + name + '.ts');
  const files = Object.keys(createRequire(import.meta.url).cache).concat(process.report.getReport().sharedObjects);
  console.log(JSON.stringify(files.filter((file) => file.includes('/node_modules/netlink/'))));
`;

describe('the package netlink', () => {
  it('is loaded without its native code', () => {
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
      cwd: root,
      encoding: 'utf8',
    });
    assert.equal(stderr.replaceAll(/^.*(?:Warning|--trace-warnings).*$/gm, '').trim(), '');
    const files = (JSON.parse(stdout) as string[]).map((file) => file.split('/node_modules/netlink/')[1]);
    assert.deepEqual(files.sort(), [
      'dist/rt/gen_structs.js',
      'dist/rt/ifla.js',
      'dist/rt/structs.js',
      'dist/structs.js',
    ]);
  });

  it('runs no script when it is installed', () => {
    const { allowScripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    assert.equal(allowScripts.netlink, false);
  });
});
