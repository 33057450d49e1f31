import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const CHILD = fileURLToPath(new URL('page-child.ts', import.meta.url));

describe('the page', function () {
  this.timeout(60_000);
  /** What it displays at each step of page-child.ts. */
  const shown = new Map<string, unknown>();
  const textOf = (step: string) => String(shown.get(step));

  before(async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD], {
      timeout: 55_000,
      killSignal: 'SIGKILL',
    });
    for (const line of stdout.trim().split('\n')) {
      const { step, value } = JSON.parse(line);
      shown.set(step, value);
    }
  });

  it('displays the daemon, its sessions, routes and warnings', () => {
    assert.match(textOf('facts'), /^agentAS64512router id10\.0\.0\.1sessions3 of 6 up.*loadnormal/);
    assert.equal(textOf('sessions'), '3 up · 3 not up');
    assert.equal(shown.get('rows'), 50);
    assert.match(textOf('alerts'), /Warning\. n4 is held down until it is cleared by hand/);
  });

  it('looks up a prefix with its more specific ones, and IPv6 addresses', () => {
    assert.deepEqual(shown.get('within'), ['within 10.244.0.0/16', '2 routes']);
    const mode = 'longest match for 2001:db8::1';
    assert.deepEqual(shown.get('IPv6'), [mode, `No route: ${mode}.`]);
  });

  it('explains a route and shows a session in full', () => {
    assert.match(textOf('explained'), /10\.244\.1\.0 is the pod shop\/cart-0-x0 on this node/);
    assert.match(textOf('session'), /^StateEstablished for .*Peer10\.0\.0\.254, AS 65001, eBGP/);
  });

  it('says that the daemon has not answered, and that its data is old', () => {
    assert.match(
      textOf('silent'),
      /^The daemon has not answered since \d\d:\d\d:\d\d\. The data below is old\. Pods and routes may still be fine\.$/,
    );
  });
});
