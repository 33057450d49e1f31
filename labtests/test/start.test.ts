import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { leftovers } from '../lab/lab.ts';
import { repository } from '../lab/processes.ts';
import { removeAbandonedLabs, runningLabs } from '../lab/registry.ts';
import { until } from '../lab/wait.ts';
import type { CheckResult } from '../start/checks.ts';

function parentOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]);
}

/** One run of `npm start` without npm and set-up. */
class Start {
  readonly child: ChildProcess;
  output = '';

  constructor(...args: string[]) {
    const command = ['scripts/run.mjs', '--no-setup', 'labtests/start/main.ts', ...args];
    this.child = spawn(process.execPath, command, { cwd: repository, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  async ended(): Promise<number | null> {
    await until('npm start to end', () => this.child.exitCode !== null || this.child.signalCode !== null, {
      timeoutMs: 120_000,
    });
    return this.child.exitCode;
  }

  lab(): Promise<string> {
    return until('the lab to be registered', () => {
      const known = runningLabs().filter((lab) => lab.topology === 'three-nodes');
      return known.find((lab) => parentOf(lab.owner.pid) === this.child.pid)?.id;
    });
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended();
  }
}

describe('npm start', () => {
  let start: Start;
  afterEach(async () => {
    await start.kill();
    await removeAbandonedLabs();
  });

  it('checks everything with --check --json, exits with 0 and prints one JSON document', async function () {
    this.timeout(150_000);
    start = new Start('--check', '--json');
    const code = await start.ended();
    const last = start.output.trimEnd().split('\n').at(-1) ?? '';
    const { checks, seconds } = JSON.parse(last) as { checks: CheckResult[]; seconds: number };
    const failed = checks.filter((check) => !check.ok);
    assert.deepEqual(failed, [], start.output);
    assert.equal(code, 0);
    assert.equal(checks.length, 8);
    assert.ok(seconds > 0);
  });

  it('shows sessions, matrix, pages and commands, and exits on SIGINT', async function () {
    this.timeout(150_000);
    start = new Start();
    const id = await start.lab();
    const shown = () => start.output.includes('Ctrl-C removes everything');
    await until('the commands to try', () => shown() || start.child.exitCode !== null, { timeoutMs: 90_000 });
    assert.ok(shown(), start.output);
    const page = /http:\/\/127\.0\.0\.1:\d+\//.exec(start.output)?.[0] ?? '';
    const answer = await fetch(page);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type') ?? '', /text\/html/);
    assert.ok(!start.output.includes('FAILED'), start.output);
    start.child.kill('SIGINT');
    await start.ended();
    assert.deepEqual(leftovers(id), []);
  });

  it('takes the lab down when killed half-way, or the next run does', async function () {
    this.timeout(150_000);
    start = new Start('--check');
    const id = await start.lab();
    await until('some agent', () => leftovers(id).some((text) => text.startsWith('process')));
    const owner = runningLabs().find((lab) => lab.id === id)?.owner.pid;
    assert.ok(owner);
    process.kill(owner, 'SIGKILL');
    await start.ended();
    await removeAbandonedLabs();
    assert.deepEqual(leftovers(id), []);
  });
});
