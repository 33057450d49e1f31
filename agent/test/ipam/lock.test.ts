import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from '../../ipam/lock.ts';

describe('ipam lock', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flatroute-lock-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('gives up after the time it may wait, and names the process that holds the lock', async () => {
    const unlock = await lockFolder(folder);
    for (const [waitMs, sleeps] of [
      [0, 0],
      [1, 1],
      [50, 1],
      [120, 3],
    ]) {
      let slept = 0;
      const sleep = async (ms: number) => {
        assert.equal(ms, 50);
        slept++;
      };
      await assert.rejects(lockFolder(folder, { waitMs, sleep }), new RegExp(`process ${process.pid}\\)`));
      assert.equal(slept, sleeps, `waitMs ${waitMs}`);
    }
    await unlock();
  });

  it('is taken once the other process has ended', async () => {
    const unlock = await lockFolder(folder);
    let slept = 0;
    const sleep = async () => {
      if (++slept === 3) await unlock();
    };
    const again = await lockFolder(folder, { waitMs: 1000, sleep });
    assert.equal(slept, 3);
    await again();
  });

  it('is a file for root only, with the id of the process', async () => {
    const unlock = await lockFolder(folder);
    assert.equal(statSync(join(folder, 'lock')).mode & 0o777, 0o600);
    assert.equal(readFileSync(join(folder, 'lock'), 'utf8'), `${process.pid}\n`);
    await unlock();
    await assert.rejects(lockFolder(join(folder, 'none')), /ENOENT/);
  });
});
