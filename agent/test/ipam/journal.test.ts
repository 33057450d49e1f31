import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Journal } from '../../ipam/journal.ts';
import { encodeLine, HEADER_LINE } from '../../ipam/journal-format.ts';
import { ConflictError } from '../../ipam/store.ts';
import { ip } from '../addresses.ts';
import { allocation, failing, filePrototype, JournalFolder } from './journal-folder.ts';

describe('ipam journal', () => {
  let test: JournalFolder;
  const addresses = (journal: Journal): string[] => [...journal.allocations].map((it) => it.addresses.join());

  beforeEach(() => {
    test = new JournalFolder();
  });

  afterEach(() => test.remove());

  it('keeps allocations and releases in a file that only root can read', async () => {
    const first = await test.open();
    for (const n of [1, 2, 3]) await first.add(allocation(n));
    await first.remove(allocation(2), 1000);
    await first.close();
    assert.equal(statSync(test.path).mode & 0o777, 0o600);
    const second = await test.open();
    assert.deepEqual([...second.allocations], [allocation(1), allocation(3)]);
    assert.deepEqual([...second.releases], [{ address: ip('10.244.0.2'), time: 1000 }]);
    assert.equal(second.lastAddresses.join(), '10.244.0.3');
    assert.deepEqual(test.warnings, []);
  });

  it('commits concurrent changes in few syncs', async () => {
    const journal = await test.open();
    await Promise.all(Array.from({ length: 300 }, (_, n) => journal.add(allocation(n))));
    const lines = readFileSync(test.path, 'utf8').trimEnd().split('\n');
    assert.ok(lines.length <= 5, `${lines.length} lines`);
    await journal.close();
    assert.equal(addresses(await test.open()).length, 300);
  });

  it('replaces the record of a container that moved to another namespace', async () => {
    const first = await test.open();
    await first.add(allocation(1));
    await first.add({ ...allocation(1), netns: '/run/netns/other' });
    await first.close();
    assert.deepEqual(
      [...(await test.open()).allocations].map(({ netns }) => netns),
      ['/run/netns/other'],
    );
  });

  it('drops a torn last commit, wherever it is cut, and continues behind the rest', async () => {
    const first = await test.open();
    await first.add(allocation(1));
    await first.close();
    const kept = test.read();
    const line = Buffer.from(encodeLine([{ add: allocation(2) }, { add: allocation(3) }]));
    for (let cut = 1; cut < line.length; cut += cut < 20 || cut > line.length - 5 ? 1 : 37) {
      writeFileSync(test.path, Buffer.concat([kept, line.subarray(0, cut)]));
      test.warnings = [];
      const journal = await test.open();
      assert.deepEqual(addresses(journal), ['10.244.0.1']);
      assert.match(
        test.warnings.join(),
        new RegExp(`${test.path}: dropped an unfinished record of ${cut} bytes at byte ${kept.length}`),
      );
      await journal.add(allocation(4));
      await journal.close();
      const again = await test.open();
      assert.deepEqual(addresses(again), ['10.244.0.1', '10.244.0.4']);
      await again.close();
    }
  });

  it('does not change a damaged journal', async () => {
    const first = await test.open();
    for (const n of [1, 2, 3]) await first.add(allocation(n));
    await first.close();
    const bytes = test.read();
    bytes[HEADER_LINE.length + 40] ^= 1;
    writeFileSync(test.path, bytes);
    await assert.rejects(
      test.open(),
      (error: Error) =>
        error.message.includes(test.path) && error.message.includes(`byte ${HEADER_LINE.length}`),
    );
    assert.deepEqual(test.read(), bytes);
  });

  it('rewrites a file that is mostly history without losing anything', async () => {
    const journal = await test.open();
    journal.quarantineMs = 3_600_000;
    await journal.add(allocation(7));
    for (let round = 0; round < 30; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, n) => journal.add(allocation(100 + n))));
      await Promise.all(
        Array.from({ length: 50 }, (_, n) => journal.remove(allocation(100 + n), Date.now())),
      );
    }
    await journal.add(allocation(8));
    const entries = readFileSync(test.path, 'utf8').split('"add"').length;
    assert.ok(entries < 1500, `${entries} additions are still in the file`);
    await journal.close();
    const again = await test.open();
    assert.deepEqual(addresses(again), ['10.244.0.7', '10.244.0.8']);
    assert.equal([...again.releases].length, 50);
    assert.equal(again.lastAddresses.join(), '10.244.0.8');
  });

  it('can be open only once, also across processes', async () => {
    const journal = await test.open();
    await assert.rejects(
      Journal.open({ folder: test.folder, report: () => {}, lockWait: { waitMs: 0 } }),
      new RegExp(`in use by another agent \\(process ${process.pid}\\)`),
    );
    const url = new URL('../../ipam/journal.ts', import.meta.url);
    const script = `const { Journal } = await import(${JSON.stringify(url.href)});
      await Journal.open({ folder: ${JSON.stringify(test.folder)}, report() {}, lockWait: { waitMs: 0 } }).then(() => console.log('opened'), (e) => console.log(e.message))`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    for await (const chunk of child.stdout) output += chunk;
    assert.match(output, /in use by another agent/);
    await journal.close();
    assert.ok(await test.open());
  });

  it('keeps the addresses of both families', async () => {
    const dual = { ...allocation(1), addresses: [ip('10.244.0.1'), ip('fd00::1')] };
    const first = await test.open();
    await first.add(dual);
    await first.add(allocation(2));
    await first.close();
    const second = await test.open();
    assert.deepEqual([...second.allocations], [dual, allocation(2)]);
    assert.deepEqual(second.lastAddresses.map(String), ['10.244.0.2', 'fd00::1']);
    await second.remove(dual, 1000);
    await second.close();
    assert.deepEqual(
      [...(await test.open()).releases].map(({ address }) => String(address)),
      ['10.244.0.1', 'fd00::1'],
    );
  });

  it('rejects an address that another attachment holds with a ConflictError, and stores nothing', async () => {
    const journal = await test.open();
    await journal.add(allocation(1));
    const before = test.read();
    await assert.rejects(
      journal.add({ ...allocation(2), addresses: allocation(1).addresses }),
      (error: unknown) => {
        assert.ok(error instanceof ConflictError);
        assert.equal(error.message, '10.244.0.1 is held by c1/eth0');
        return true;
      },
    );
    assert.deepEqual(test.read(), before);
  });

  it('trusts only a new file after a failed sync', async () => {
    const journal = await test.open();
    await journal.add(allocation(1));
    const inode = statSync(test.path).ino;
    const restore = await failing('datasync');
    await assert.rejects(journal.add(allocation(2)), /cannot be written: planned failure/);
    restore();
    // The bytes of the failed commit may or may not be on the disk; the next commit must not stand behind them.
    await journal.add(allocation(3));
    assert.notEqual(statSync(test.path).ino, inode);
    await journal.close();
    assert.deepEqual(addresses(await test.open()), ['10.244.0.1', '10.244.0.3']);
  });

  it('completes a commit that the kernel writes in pieces', async () => {
    const journal = await test.open();
    const prototype = await filePrototype();
    const original = prototype.write;
    const inPieces = function (
      this: FileHandle,
      bytes: Buffer,
      offset: number,
      length: number,
      position: number,
    ) {
      return Reflect.apply(original, this, [bytes, offset, Math.min(length, 7), position]);
    };
    prototype.write = inPieces as unknown as FileHandle['write'];
    try {
      await journal.add(allocation(1));
      await journal.add(allocation(2));
    } finally {
      prototype.write = original;
    }
    await journal.close();
    assert.deepEqual(addresses(await test.open()), ['10.244.0.1', '10.244.0.2']);
    assert.deepEqual(test.warnings, []);
  });

  it('rejects changes after close, and can be closed twice', async () => {
    const journal = await test.open();
    await journal.add(allocation(1));
    const pending = journal.add(allocation(2));
    await journal.close();
    await pending;
    await assert.rejects(journal.add(allocation(3)), /allocations\.journal: closed/);
    await assert.rejects(journal.remove(allocation(1), 1000), /closed/);
    await journal.close();
    assert.deepEqual(addresses(await test.open()), ['10.244.0.1', '10.244.0.2']);
  });

  it('rejects commits until a new file is durable', async () => {
    const journal = await test.open();
    await journal.add(allocation(1));
    const ends = [await failing('datasync'), await failing('sync')];
    await assert.rejects(journal.add(allocation(2)), /planned failure/);
    await assert.rejects(journal.add(allocation(3)), /planned failure/);
    for (const restore of ends) restore();
    // Now the file can be written but the rename is not durable: a power cut would bring the old file back.
    const folderOnly = await failing('sync', 2);
    const again = await failing('datasync');
    await assert.rejects(journal.add(allocation(4)), /planned failure/);
    again();
    await assert.rejects(journal.add(allocation(5)), /planned failure/);
    folderOnly();
    await journal.add(allocation(6));
    await journal.close();
    assert.deepEqual(addresses(await test.open()), ['10.244.0.1', '10.244.0.6']);
  });

  it('commits nothing to a rewritten file before its rename is durable', async () => {
    const journal = await test.open();
    const batch = Array.from({ length: 300 }, (_, n) => allocation(n));
    for (let round = 0; round < 2; round++) {
      await Promise.all(batch.map((it) => journal.add(it)));
      await Promise.all(batch.map((it) => journal.remove(it, 1000)));
    }
    const restore = await failing('sync', 2); // the new file, then the folder
    await assert.rejects(journal.add(allocation(1)), /planned failure/);
    restore();
    const inode = statSync(test.path).ino;
    await journal.add(allocation(2));
    assert.notEqual(statSync(test.path).ino, inode, 'committed to the file of the failed rewrite');
    await journal.close();
    assert.deepEqual(addresses(await test.open()), ['10.244.0.2']);
  });
});
