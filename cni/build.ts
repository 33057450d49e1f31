/** Builds the plugin: shim.c → build/flatroute, static, with musl where it is installed. Run by itself or imported. */

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('./shim.c', import.meta.url));
const FOLDER = fileURLToPath(new URL('./build/', import.meta.url));
/** Where the built plugin is. */
export const PLUGIN_BINARY = `${FOLDER}flatroute`;

const COMPILERS = ['musl-gcc', 'gcc'];
const FLAGS = ['-static', '-O2', '-s', '-Wall', '-Wextra', '-Werror'];
const HARDENING = ['-D_FORTIFY_SOURCE=2', '-fstack-protector-strong'];

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

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

/** Builds the plugin when it is missing or older than its source, and returns its path. */
export async function buildPlugin(): Promise<string> {
  const [source, built] = await Promise.all([modified(SOURCE), modified(PLUGIN_BINARY)]);
  if (source === undefined) throw new Error(`${SOURCE} is missing`);
  if (built !== undefined && built >= source) return PLUGIN_BINARY;
  await mkdir(FOLDER, { recursive: true });
  // Under a name of its own first, so that two builds at once do not meet, and nobody executes half a file.
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
