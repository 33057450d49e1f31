// Runs a program on Node 24 after the set-up that it needs:
// `node scripts/run.mjs [--no-setup | --packages-only | --lab] FILE.ts ARGUMENTS…`
// By default the set-up is everything: npm and Debian packages, and the build. `--lab` leaves out the routers of the
// interop matrix and the library; `--packages-only` installs only npm packages. Afterwards this process passes on signals
// and the exit code.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, node24, root, setUp, setUpNpmPackages, toolPath } from './setup.mjs';

const args = process.argv.slice(2);
const mode = args[0].startsWith('--') ? args.shift() : '--setup';
const [file, ...rest] = args;

try {
  if (mode === '--packages-only') setUpNpmPackages();
  else if (mode !== '--no-setup') {
    setUp(mode === '--setup');
    build(...(mode === '--lab' ? ['command', 'plugin'] : []));
  } else if (!existsSync(node24)) throw new Error('nothing is set up yet: run `npm start` first');
} catch (error) {
  process.stderr.write(`flatroute: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

// By the channel the child notices when this process was killed and could not pass that on.
const child = spawn(node24, [join(root, file), ...rest], {
  cwd: root,
  env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${toolPath}` },
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
});
/** @type {NodeJS.Signals[]} */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
for (const signal of signals) process.on(signal, () => child.kill(signal));

// Ends the child when npm was killed, after which no Ctrl-C arrives. npm runs a shell that runs this process.
const ancestors = () => `${process.ppid} ${parentOf(process.ppid)}`;
const before = ancestors();
const watch = setInterval(() => {
  if (ancestors() !== before) child.kill('SIGTERM');
}, 500);
watch.unref();

/** @param {number} pid */
function parentOf(pid) {
  try {
    return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined; // it exited meanwhile
  }
}

child.on('exit', (code, signal) => {
  process.exit(code ?? (signal ? 1 : 0));
});
