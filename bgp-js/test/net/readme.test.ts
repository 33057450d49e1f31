/** The README's code runs as it stands there: the speaker in a network namespace of its own, on port 179. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './tcp.ts';

const library = join(import.meta.dirname, '../..');
const namespace = `bgpjs-${process.pid}`;
let folder = '';
const children: ChildProcess[] = [];

/** The first TypeScript block of the README. */
function firstProgram(): string {
  const readme = readFileSync(join(library, 'README.md'), 'utf8');
  return /^```ts\n(.*?)^```$/ms.exec(readme)?.[1] ?? assert.fail('README.md has no TypeScript');
}

/** A program that sees the library under its name, as an application would. */
function program(name: string, code: string): string {
  const path = join(folder, name);
  writeFileSync(path, code);
  return path;
}

/** Starts a program in the namespace; `output` grows as it prints. */
function start(path: string): { child: ChildProcess; output: () => string } {
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, path], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return { child, output: () => text };
}

describe('the README', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'bgp-js-readme-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(library, join(folder, 'node_modules/bgp-js'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
    execFileSync('ip', ['netns', 'add', namespace]);
    execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
    for (const address of ['10.0.0.1/32', '10.0.0.2/32']) {
      execFileSync('ip', ['-n', namespace, 'address', 'add', address, 'dev', 'lo']);
    }
  });

  after(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    execFileSync('ip', ['netns', 'del', namespace]);
    rmSync(folder, { recursive: true });
  });

  it("has a speaker of about 20 lines that learns a peer's route, announces its own, and stops with a message", async () => {
    const code = firstProgram();
    assert.ok(code.trim().split('\n').length <= 25, 'it is short');
    const turned = code
      .replaceAll('10.0.0.2', 'PEER')
      .replaceAll('10.0.0.1', '10.0.0.2')
      .replaceAll('PEER', '10.0.0.1')
      .replaceAll('10.244.2.0/26', 'ROUTE')
      .replaceAll('10.244.1.0/26', '10.244.2.0/26')
      .replaceAll('ROUTE', '10.244.1.0/26');
    const readme = start(program('speaker.ts', code));
    const other = start(program('other.ts', turned));
    const advertised = (output: string, nextHop: string) =>
      output.includes(`nextHop: '${nextHop}'`) && output.includes("status: 'best'");
    const both = () => advertised(readme.output(), '10.0.0.2') && advertised(other.output(), '10.0.0.1');
    const gone = () => [readme, other].some(({ child }) => child.exitCode !== null);
    await until(() => both() || gone(), 'each has a route').catch(() => {});
    assert.ok(both(), `each has a route:\n${readme.output()}\n${other.output()}`);
    const exited = once(readme.child, 'exit');
    readme.child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null], readme.output());
    await until(
      () =>
        other
          .output()
          .includes('administrative shutdown: "down for maintenance" (received NOTIFICATION 6/2)'),
      `the other is told why: ${other.output()}`,
    );
  });
});
