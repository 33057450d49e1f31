/**
 * Builds the plugin: shim.c → build/flatroute, a static program, with musl if it is installed. `npm run build` and the
 * set-up of the tests call it; nothing builds on a node. Run by itself it prints the path of the plugin.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PLUGIN_BINARY } from './install.ts';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('./shim.c', import.meta.url));

const COMPILERS = ['musl-gcc', 'gcc'];
const FLAGS = ['-static', '-O2', '-s', '-Wall', '-Wextra', '-Werror'];
const HARDENING = ['-D_FORTIFY_SOURCE=2', '-fstack-protector-strong'];

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Time of the last change in ms since the epoch; undefined if the file is missing. */
async function modified(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function compile(target: string): Promise<void> {
  for (const compiler of COMPILERS) {
    try {
      await run(compiler, [...FLAGS, ...HARDENING, '-o', target, SOURCE]);
      return;
    } catch (error) {
      if (!isMissing(error))
        throw new Error(`${compiler} cannot build ${SOURCE}: ${(error as Error).message}`);
    }
  }
  throw new Error(
    'no C compiler found to build the CNI plugin; install the Debian package musl-tools (or gcc)',
  );
}

/** Builds the plugin if it is missing or older than its source. Returns its path. Throws an Error if that fails. */
export async function buildPlugin(): Promise<string> {
  const [source, built] = await Promise.all([modified(SOURCE), modified(PLUGIN_BINARY)]);
  if (source === undefined) throw new Error(`${SOURCE} is missing`);
  if (built !== undefined && built >= source) return PLUGIN_BINARY;
  await mkdir(dirname(PLUGIN_BINARY), { recursive: true });
  // By rename, so that concurrent builds do not mix and no process executes half a file.
  const temporary = `${PLUGIN_BINARY}.${randomUUID()}.tmp`;
  try {
    await compile(temporary);
    await rename(temporary, PLUGIN_BINARY);
  } finally {
    await rm(temporary, { force: true });
  }
  return PLUGIN_BINARY;
}

if (import.meta.main) console.log(await buildPlugin());
