// Hands a command over to Node 24: `node scripts/run.mjs [--no-setup | --packages-only | --lab] FILE.ts ARGUMENTS…`
// Does the set-up first (for --lab without the routers of the interop matrix), then stays only to pass signals and the exit code on.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { node24, root, setUp, setUpNpmPackages, toolPath } from './setup.mjs';

const args = process.argv.slice(2);
const mode = args[0].startsWith('--') ? args.shift() : '--setup';
const [file, ...rest] = args;

try {
  if (mode === '--setup' || mode === '--lab') setUp(mode === '--setup');
  else if (mode === '--packages-only') setUpNpmPackages();
  else if (!existsSync(node24)) throw new Error('nothing is set up yet: run `npm start` first');
} catch (error) {
  process.stderr.write(`flatroute: ${error.message}\n`);
  process.exit(1);
}

// The channel tells the child when this process has died in a way that left it no time to say so.
const child = spawn(node24, [join(root, file), ...rest], {
  cwd: root,
  env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${toolPath}` },
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));

// npm itself may be killed; then nobody is left to press Ctrl-C. Between npm and this process there is a shell.
const ancestors = () => `${process.ppid} ${parentOf(process.ppid)}`;
const before = ancestors();
const watch = setInterval(() => {
  if (ancestors() !== before) child.kill('SIGTERM');
}, 500);
watch.unref();

function parentOf(pid) {
  try {
    return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined; // it has just ended
  }
}

child.on('exit', (code, signal) => {
  process.exit(code ?? (signal ? 1 : 0));
});
