import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '..');
const setup = pathToFileURL(join(root, 'scripts/setup.mjs')).href;

/** What set-up makes of a folder, asked in a process of its own because set-up is plain JavaScript. */
function staleReason(folder: string): string {
  const program = `import { staleReason } from ${JSON.stringify(setup)};
    process.stdout.write(String(staleReason(process.argv[1])));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program, folder], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout;
}

describe('set-up', () => {
  const wanted = {
    '': { name: 'x' },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/b-win32': { version: '1.0.0', optional: true },
  };
  let folder: string;

  /** Writes package-lock.json, and npm's record of an installation. */
  function write(lock: object, installed?: object): void {
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: lock }));
    mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
    writeFileSync(join(folder, 'node_modules/.bin/node'), '');
    if (!installed) return;
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }));
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flatroute-setup-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('installs into an empty folder, and after an installation that was cut short', () => {
    assert.equal(staleReason(folder), 'not installed yet');
    write(wanted);
    assert.equal(staleReason(folder), 'not installed yet');
  });

  it('leaves alone what is as package-lock.json says, packages for other platforms aside', () => {
    write(wanted, { 'node_modules/a': wanted['node_modules/a'] });
    assert.equal(staleReason(folder), 'undefined');
  });

  it('installs anew when a package is missing or another one', () => {
    write(wanted, {});
    assert.equal(staleReason(folder), 'node_modules/a is not installed');
    write(wanted, { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } });
    assert.equal(staleReason(folder), 'node_modules/a differs from package-lock.json');
    write(wanted, { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-other' } });
    assert.equal(staleReason(folder), 'node_modules/a differs from package-lock.json');
  });

  it('installs anew when Node 24 is missing', () => {
    write(wanted, { 'node_modules/a': wanted['node_modules/a'] });
    rmSync(join(folder, 'node_modules/.bin/node'));
    assert.equal(staleReason(folder), 'Node 24 is missing');
  });

  it('finds this very repository set up', () => {
    assert.equal(staleReason(root), 'undefined');
  });
});
