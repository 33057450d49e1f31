/** A long-running program of a lab, which can be started, watched, stopped and killed. */

import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { spawnDaemon } from './processes.ts';

/** How a daemon runs. */
export interface DaemonOptions {
  lab: string;
  /** Its name in messages: "agent n1". */
  title: string;
  command: string[];
  /** Network namespace; by default the machine's. */
  netns?: string;
  /** Where its standard output and error are appended. */
  logFile: string;
}

export class Daemon {
  readonly #options: DaemonOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: DaemonOptions) {
    this.#options = options;
  }

  get title(): string {
    return this.#options.title;
  }

  /** The pid while it runs. */
  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  start(): void {
    if (this.running) throw new Error(`${this.#options.title} is running already`);
    const { lab, command, netns, logFile } = this.#options;
    const logFd = openSync(logFile, 'a', 0o600);
    const child = spawnDaemon(lab, command, { netns, logFd });
    closeSync(logFd);
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.on('exit', () => resolve());
      child.on('error', () => resolve());
    });
  }

  /** Throws an Error with the end of the log when the daemon does not run: for use while waiting for it. */
  assertRunning(): void {
    if (this.running) return;
    const how = this.#child?.signalCode ?? `exit code ${this.#child?.exitCode}`;
    throw new Error(`${this.#options.title} exited (${how}); its log ends with:\n${this.logTail()}`);
  }

  /** The last lines of its log. */
  logTail(lines = 15): string {
    return this.log().trimEnd().split('\n').slice(-lines).join('\n');
  }

  log(): string {
    return readFileSync(this.#options.logFile, 'utf8');
  }

  /** Sends a signal and does not wait. */
  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child?.kill(name);
  }

  /** Sends SIGTERM, and SIGKILL after `graceMs`, which is a failure: then it throws an Error. */
  async stop(graceMs = 10_000): Promise<void> {
    let killed = false;
    this.signal('SIGTERM');
    const timer = setTimeout(() => {
      killed = true;
      this.signal('SIGKILL');
    }, graceMs);
    await this.#ended;
    clearTimeout(timer);
    if (killed) throw new Error(`${this.title} still ran ${graceMs / 1000} s after SIGTERM and was killed`);
  }

  /** Sends SIGKILL to its process group: none of its processes can clean up. */
  async kill(): Promise<void> {
    if (this.pid) process.kill(-this.pid, 'SIGKILL');
    await this.#ended;
  }

  /** Resolves with the exit code when the daemon exits; null when a signal killed it. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child?.exitCode ?? null;
  }
}
