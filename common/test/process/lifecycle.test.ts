import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('lifecycle-child.ts', import.meta.url));

describe('lifecycle', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  /** Starts a child; `written` collects its output and `said` waits for a text in it. */
  function start(behaviour: string) {
    const child = spawn(process.execPath, [CHILD, behaviour], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    const written = { text: '' };
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        written.text += chunk;
      });
    const said = async (text: string) => {
      while (!written.text.includes(text)) await once(child.stdout, 'data');
    };
    return { child, written, said, ended: once(child, 'close') };
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`stops on ${signal} and exits with 0`, async () => {
      const { child, written, said, ended } = start('good');
      await said('ready');
      child.kill(signal);
      assert.deepEqual(await ended, [0, null]);
      assert.match(written.text, new RegExp(`stop ${signal}`));
    });
  }

  it('exits with 1 if the stop takes too long, fails, or is interrupted by a second signal', async () => {
    const hanging = start('hang');
    await hanging.said('ready');
    hanging.child.kill('SIGTERM');
    assert.deepEqual(await hanging.ended, [1, null]);
    assert.match(hanging.written.text, /stop takes longer than 0\.05 s/);

    const failing = start('bad-stop');
    await failing.said('ready');
    failing.child.kill('SIGTERM');
    assert.deepEqual(await failing.ended, [1, null]);
    assert.match(failing.written.text, /cannot stop/);

    const slow = start('slow');
    await slow.said('ready');
    slow.child.kill('SIGTERM');
    await slow.said('stop SIGTERM');
    slow.child.kill('SIGINT');
    assert.deepEqual(await slow.ended, [1, null]);
  });

  it('requests a reload on every SIGHUP, but not while it stops', async () => {
    const { child, written, said, ended } = start('slow');
    await said('ready');
    child.kill('SIGHUP');
    await said('reload 1');
    child.kill('SIGHUP');
    await said('reload 2');
    child.kill('SIGTERM');
    await said('stop SIGTERM');
    child.kill('SIGHUP');
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [1, null]);
    assert.doesNotMatch(written.text, /reload 3/);
  });

  for (const behaviour of ['throw', 'reject']) {
    it(`logs an uncaught failure (${behaviour}) and exits with 1`, async () => {
      const { written, ended } = start(behaviour);
      assert.deepEqual(await ended, [1, null]);
      assert.match(written.text, /"level":"fatal".*defect/);
    });
  }
});
