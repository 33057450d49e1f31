/**
 * Programs of a lab. Each has FLATROUTE_LAB=ID in its environment, so that it can be found and killed even if its pid
 * was not recorded, and a reused pid is never mistaken for it.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from './wait.ts';

/** The root of the repository. */
export const repository = dirname(dirname(import.meta.dirname));

const tools = [join(repository, 'node_modules/.bin'), process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(':');

/** The result of a program that has exited. */
export interface Result {
  /** Exit code; null when a signal killed it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  input?: string;
  /** Network namespace to run in; by default the machine's. */
  netns?: string;
  /** After this many ms the program is killed and the run rejects. */
  timeoutMs?: number;
}

/** The environment of a lab's programs: this process's, with the tools on PATH and the mark of the lab. */
export function labEnvironment(lab: string, extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: tools, FLATROUTE_LAB: lab, ...extra };
}

/** The command line that runs `command` in a network namespace; nsenter replaces itself, so the pid stays. */
export function inNetns(netns: string | undefined, command: string[]): string[] {
  return netns ? ['nsenter', `--net=/run/netns/${netns}`, '--', ...command] : command;
}

/** Starts a long-running program whose output goes to an open file. */
export function spawnDaemon(
  lab: string,
  command: string[],
  options: { netns?: string; logFd: number; env?: Record<string, string> },
): ChildProcess {
  const [file, ...args] = inNetns(options.netns, command);
  // Detached, so that Ctrl-C reaches only the lab's owner, which then stops everything in order.
  return spawn(file, args, {
    env: labEnvironment(lab, options.env),
    stdio: ['ignore', options.logFd, options.logFd],
    detached: true,
  });
}

/** Runs a program until it exits. Rejects only when it cannot be run or takes longer than `timeoutMs` (30 s). */
export function run(lab: string, command: string[], options: RunOptions = {}): Promise<Result> {
  const [file, ...args] = inNetns(options.netns, command);
  const child = spawn(file, args, { env: labEnvironment(lab, options.env), detached: true });
  return new Promise((resolve, reject) => {
    const result: Result = { code: null, stdout: '', stderr: '' };
    const timeoutMs = options.timeoutMs ?? 30_000;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${command.join(' ')} did not exit within ${timeoutMs} ms`));
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      result.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      result.stderr += text;
    });
    // A program may exit without reading its input.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`${command[0]} cannot be run: ${error.message}`));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      result.code = code;
      resolve(result);
    });
  });
}

/** Runs a program that must succeed; its standard output. */
export async function must(lab: string, command: string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(lab, command, options);
  if (code !== 0) {
    const place = options.netns ? ` in ${options.netns}` : '';
    throw new Error(`${command.join(' ')}${place} failed with ${code}: ${(stderr || stdout).trim()}`);
  }
  return stdout;
}

/** The pids of a lab's processes. */
export function processesOf(lab: string): number[] {
  const mark = `FLATROUTE_LAB=${lab}`;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.map(Number).filter((pid) => readProc(pid, 'environ').split('\0').includes(mark));
}

/** Kills a lab's processes and waits until they have exited. */
export async function killAllOf(lab: string): Promise<void> {
  await until(`the processes of lab ${lab} to end`, () => {
    const pids = processesOf(lab);
    for (const pid of pids) killQuietly(pid);
    return pids.length === 0;
  });
}

/** When a process started, in clock ticks since boot (proc(5), field 22): with the pid it identifies a process. */
export function startTimeOf(pid: number): number | undefined {
  const stat = readProc(pid, 'stat');
  // The second field is the program's name in brackets, which may itself contain blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return stat === '' || state === 'Z' ? undefined : Number(fields[19]);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // exited meanwhile
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
