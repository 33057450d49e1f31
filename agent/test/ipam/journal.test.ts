import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type FileHandle, open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IPAddress } from 'bgp-js/ip';
import { Journal } from '../../ipam/journal.ts';
import {
  encodeLine,
  HEADER_LINE,
  JOURNAL_VERSION,
  JournalDamaged,
  type JournalEntry,
  JournalTooNew,
  readJournal,
} from '../../ipam/journal-format.ts';
import { type Allocation, ConflictError } from '../../ipam/store.ts';
import { ip } from '../addresses.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url);

function allocation(n: number): Allocation {
  return {
    containerId: `c${n}`,
    ifname: 'eth0',
    network: 'flatroute',
    pod: { namespace: 'default', name: `pod-${n}` },
    netns: `/run/netns/pod${n}`,
    hostInterface: `fr${n}`,
    addresses: [IPAddress.v4(0x0af40000 + n)],
    since: '2026-01-01T00:00:00.000Z',
  };
}

describe('ipam journal', () => {
  let folder: string;
  let warnings: string[];
  let reports: string[];
  let opened: Journal[];
  const open = async (): Promise<Journal> => {
    const journal = await Journal.open({
      folder,
      report: (level, text) => (level === 'warn' ? warnings : reports).push(text),
    });
    opened.push(journal);
    return journal;
  };
  const path = (): string => join(folder, 'allocations.journal');
  const addresses = (journal: Journal): string[] => [...journal.allocations].map((it) => it.addresses.join());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flatroute-journal-'));
    warnings = [];
    reports = [];
    opened = [];
  });

  afterEach(async () => {
    await Promise.all(opened.map((journal) => journal.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('keeps allocations and releases in a file that only root can read', async () => {
    const first = await open();
    for (const n of [1, 2, 3]) await first.add(allocation(n));
    await first.remove(allocation(2), 1000);
    await first.close();
    assert.equal(statSync(path()).mode & 0o777, 0o600);
    const second = await open();
    assert.deepEqual([...second.allocations], [allocation(1), allocation(3)]);
    assert.deepEqual([...second.releases], [{ address: ip('10.244.0.2'), time: 1000 }]);
    assert.equal(second.lastAddresses.join(), '10.244.0.3');
    assert.deepEqual(warnings, []);
  });

  it('commits concurrent changes in few syncs', async () => {
    const journal = await open();
    await Promise.all(Array.from({ length: 300 }, (_, n) => journal.add(allocation(n))));
    const lines = readFileSync(path(), 'utf8').trimEnd().split('\n');
    assert.ok(lines.length <= 5, `${lines.length} lines`);
    await journal.close();
    assert.equal(addresses(await open()).length, 300);
  });

  it('replaces the record of a container that moved to another namespace', async () => {
    const first = await open();
    await first.add(allocation(1));
    await first.add({ ...allocation(1), netns: '/run/netns/other' });
    await first.close();
    assert.deepEqual(
      [...(await open()).allocations].map(({ netns }) => netns),
      ['/run/netns/other'],
    );
  });

  it('drops a torn last commit, wherever it is cut, and continues behind the rest', async () => {
    const first = await open();
    await first.add(allocation(1));
    await first.close();
    const kept = readFileSync(path());
    const line = Buffer.from(encodeLine([{ add: allocation(2) }, { add: allocation(3) }]));
    for (let cut = 1; cut < line.length; cut += cut < 20 || cut > line.length - 5 ? 1 : 37) {
      writeFileSync(path(), Buffer.concat([kept, line.subarray(0, cut)]));
      warnings = [];
      const journal = await open();
      assert.deepEqual(addresses(journal), ['10.244.0.1']);
      assert.match(
        warnings.join(),
        new RegExp(`${path()}: dropped an unfinished record of ${cut} bytes at byte ${kept.length}`),
      );
      await journal.add(allocation(4));
      await journal.close();
      const again = await open();
      assert.deepEqual(addresses(again), ['10.244.0.1', '10.244.0.4']);
      await again.close();
    }
  });

  it('treats zero bytes in the last commit as a torn write', () => {
    const line = Buffer.from(encodeLine([{ add: allocation(2) }]));
    line.fill(0, 30, 60);
    const bytes = Buffer.concat([Buffer.from(HEADER_LINE), line]);
    assert.equal(readJournal('j', bytes).goodLength, HEADER_LINE.length);
  });

  it('refuses damage of any other byte, with file and offset', () => {
    const lines = [HEADER_LINE, encodeLine([{ add: allocation(1) }]), encodeLine([{ add: allocation(2) }])];
    const whole = Buffer.from(lines.join(''));
    const starts = [0, lines[0].length, lines[0].length + lines[1].length];
    for (let at = 0; at < whole.length - 1; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] ^= 0x04;
      assert.throws(
        () => readJournal('/var/lib/x', damaged),
        (error: unknown) => {
          assert.ok(error instanceof JournalDamaged);
          const offset = Number(/^\/var\/lib\/x: at byte (\d+): /.exec(error.message)?.[1]);
          return starts.includes(offset) && offset <= at;
        },
        `flipped a bit of byte ${at}`,
      );
    }
  });

  it('refuses an empty file, an unknown format, and records that contradict each other', () => {
    const read = (...entries: JournalEntry[][]) =>
      readJournal('j', Buffer.from(HEADER_LINE + entries.map(encodeLine).join('')));
    assert.throws(() => readJournal('j', Buffer.alloc(0)), /empty/);
    assert.throws(() => readJournal('j', Buffer.from('12345678')), JournalDamaged);
    assert.throws(
      () => readJournal('j', Buffer.from(encodeLine([{ add: allocation(1) }]))),
      /does not name the format/,
    );
    const foreign = Buffer.from(encodeLine([{ format: 'something else', version: 1 }]));
    assert.throws(() => readJournal('j', foreign), /does not name the format/);
    for (const version of [0, -1, 1.5, '2', null]) {
      const header = { format: 'flatroute allocations', version: version as number };
      assert.throws(() => readJournal('j', Buffer.from(encodeLine([header]))), /does not name the format/);
    }
    const unknown = { frob: 1 } as unknown as JournalEntry;
    assert.throws(() => read([unknown]), /unknown kind: frob/);
    const thief = { ...allocation(2), addresses: allocation(1).addresses };
    assert.throws(
      () => read([{ add: allocation(1) }], [{ add: thief }]),
      /gives 10\.244\.0\.1 of c1\/eth0 to c2\/eth0/,
    );
    const { containerId, ifname, addresses } = allocation(1);
    assert.throws(() => read([{ release: { containerId, ifname, addresses, time: 1 } }]), /does not hold/);
    assert.throws(
      () =>
        read([{ add: allocation(1) }], [{ add: { ...allocation(1), addresses: allocation(2).addresses } }]),
      /gives 10\.244\.0\.2 to c1\/eth0, which holds 10\.244\.0\.1/,
    );
    const nonsense = { add: { ...allocation(1), addresses: ['10.0.0.300'] } } as unknown as JournalEntry;
    assert.throws(() => read([nonsense]), /has "10\.0\.0\.300" in place of an address/);
    const none = { add: { ...allocation(1), addresses: [] } };
    assert.throws(() => read([none]), /no list of addresses/);
  });

  it('does not change a damaged journal', async () => {
    const first = await open();
    for (const n of [1, 2, 3]) await first.add(allocation(n));
    await first.close();
    const bytes = readFileSync(path());
    bytes[HEADER_LINE.length + 40] ^= 1;
    writeFileSync(path(), bytes);
    await assert.rejects(
      open(),
      (error: Error) =>
        error.message.includes(path()) && error.message.includes(`byte ${HEADER_LINE.length}`),
    );
    assert.deepEqual(readFileSync(path()), bytes);
  });

  it('rewrites a file that is mostly history without losing anything', async () => {
    const journal = await open();
    journal.restMs = 3_600_000;
    await journal.add(allocation(7));
    for (let round = 0; round < 30; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, n) => journal.add(allocation(100 + n))));
      await Promise.all(
        Array.from({ length: 50 }, (_, n) => journal.remove(allocation(100 + n), Date.now())),
      );
    }
    await journal.add(allocation(8));
    const entries = readFileSync(path(), 'utf8').split('"add"').length;
    assert.ok(entries < 1500, `${entries} additions are still in the file`);
    await journal.close();
    const again = await open();
    assert.deepEqual(addresses(again), ['10.244.0.7', '10.244.0.8']);
    assert.equal([...again.releases].length, 50);
    assert.equal(again.lastAddresses.join(), '10.244.0.8');
  });

  it('can be open only once, also across processes', async () => {
    const journal = await open();
    await assert.rejects(
      Journal.open({ folder, report: () => {}, lockWait: { waitMs: 0 } }),
      new RegExp(`in use by another agent \\(process ${process.pid}\\)`),
    );
    const url = new URL('../../ipam/journal.ts', import.meta.url);
    const script = `const { Journal } = await import(${JSON.stringify(url.href)});
      await Journal.open({ folder: ${JSON.stringify(folder)}, report() {}, lockWait: { waitMs: 0 } }).then(() => console.log('opened'), (e) => console.log(e.message))`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    for await (const chunk of child.stdout) output += chunk;
    assert.match(output, /in use by another agent/);
    await journal.close();
    assert.ok(await open());
  });

  it('keeps the addresses of both families', async () => {
    const dual = { ...allocation(1), addresses: [IPAddress.v4(0x0af40001), ip('fd00::1')] };
    const first = await open();
    await first.add(dual);
    await first.add(allocation(2));
    await first.close();
    const second = await open();
    assert.deepEqual([...second.allocations], [dual, allocation(2)]);
    assert.deepEqual(second.lastAddresses.map(String), ['10.244.0.2', 'fd00::1']);
    await second.remove(dual, 1000);
    await second.close();
    assert.deepEqual(
      [...(await open()).releases].map(({ address }) => String(address)),
      ['10.244.0.1', 'fd00::1'],
    );
  });

  it('rejects an address that another attachment holds with a ConflictError, and stores nothing', async () => {
    const journal = await open();
    await journal.add(allocation(1));
    const before = readFileSync(path());
    await assert.rejects(
      journal.add({ ...allocation(2), addresses: allocation(1).addresses }),
      (error: unknown) => {
        assert.ok(error instanceof ConflictError);
        assert.equal(error.message, '10.244.0.1 is held by c1/eth0');
        return true;
      },
    );
    assert.deepEqual(readFileSync(path()), before);
  });

  describe('upgrade', () => {
    const fixture = (name: string): Buffer => readFileSync(new URL(name, FIXTURES));
    /** Puts bytes in the journal's place, opens it, closes it, and opens it again. */
    const upgrade = async (bytes: Buffer): Promise<Journal> => {
      writeFileSync(path(), bytes);
      const journal = await open();
      const version = `"version":${JOURNAL_VERSION}`;
      assert.ok(readFileSync(path(), 'utf8').split('\n')[0].includes(version), 'the file was not rewritten');
      assert.match(reports.join(), /upgraded from format 1 to 2/);
      await journal.close();
      reports = [];
      const again = await open();
      assert.deepEqual(reports, [], 'upgraded twice');
      return again;
    };
    /** The pods that the agent of version 1 had when it wrote the fixture. */
    const PODS = [
      ['c1', '10.244.1.0'],
      ['c3', '10.244.1.2'],
      ['c5', '10.244.1.4'],
      ['c6', '10.244.1.5'],
      ['c7', '10.244.1.6'],
    ];
    const pods = (journal: Journal) =>
      [...journal.allocations].map(({ containerId, addresses }) => [containerId, addresses.join()]);
    const released = (journal: Journal) => [...journal.releases].map(({ address }) => String(address));

    it('takes over every pod, release and the last address of a journal of version 1', async () => {
      const journal = await upgrade(fixture('version-1.journal'));
      assert.deepEqual(pods(journal).sort(), PODS);
      assert.deepEqual(released(journal), ['10.244.1.1', '10.244.1.3']);
      assert.deepEqual(
        [...journal.releases].map(({ time }) => time),
        [1795933636743, 1795933636744],
      );
      assert.equal(journal.lastAddresses.join(), '10.244.1.6');
      const [first] = journal.allocations;
      assert.deepEqual(first, {
        containerId: 'c1',
        ifname: 'eth0',
        network: 'flatroute',
        pod: { namespace: 'default', name: 'pod-1', uid: '0f8f1a52-6d6b-4f0e-9f5e-1d1f1c0c7a11' },
        netns: '/run/netns/pod1',
        hostInterface: 'fr0000000000001',
        addresses: [ip('10.244.1.0')],
        since: '2026-11-29T06:27:16.634Z',
      });
      const moved = [...journal.allocations].find(({ containerId }) => containerId === 'c3');
      assert.equal(moved?.netns, '/run/netns/pod3-again');
      assert.deepEqual(warnings, []);
    });

    it('takes over a journal of version 1 that was rewritten, and then works with it', async () => {
      const journal = await upgrade(fixture('version-1-rewritten.journal'));
      assert.deepEqual(pods(journal), [
        ['c1', '10.244.1.0'],
        ['c2', '10.244.1.1'],
      ]);
      assert.equal(released(journal).length, 10);
      assert.equal(journal.lastAddresses.join(), '10.244.1.6');
      const inode = statSync(path()).ino;
      await journal.add(allocation(9));
      const [first] = journal.allocations;
      await journal.remove(first, 1000);
      assert.equal(statSync(path()).ino, inode, 'rewritten again');
      await journal.close();
      assert.deepEqual(pods(await open()), [
        ['c2', '10.244.1.1'],
        ['c9', '10.244.0.9'],
      ]);
    });

    it('takes over a journal of version 1 with a torn tail, wherever it is cut', async () => {
      const whole = fixture('version-1.journal');
      const last = whole.subarray(0, -1).lastIndexOf(0x0a) + 1;
      for (const cut of [last + 1, last + 9, last + 100, whole.length - 1]) {
        reports = [];
        const journal = await upgrade(whole.subarray(0, cut));
        assert.deepEqual(pods(journal).sort(), PODS.slice(0, -1));
        assert.equal(journal.lastAddresses.join(), '10.244.1.2'); // the last record is a reassignment
        assert.match(warnings.join(), new RegExp(`unfinished record of ${cut - last} bytes`));
        await journal.close();
      }
    });

    it('refuses a damaged journal of version 1, and leaves it as it is', async () => {
      const bytes = fixture('version-1.journal');
      bytes[100] ^= 1;
      writeFileSync(path(), bytes);
      await assert.rejects(open(), JournalDamaged);
      assert.deepEqual(readFileSync(path()), bytes);
    });

    it('starts with the old file if it cannot rewrite it, and upgrades it with the next commit', async () => {
      const bytes = fixture('version-1.journal');
      writeFileSync(path(), bytes);
      const restore = await failing('sync');
      const journal = await open();
      assert.match(warnings.join(), /cannot be upgraded to format 2 yet, will retry: planned failure/);
      assert.deepEqual(pods(journal).sort(), PODS);
      assert.deepEqual(readFileSync(path()), bytes);
      await assert.rejects(journal.add(allocation(9)), /cannot be written: planned failure/);
      assert.deepEqual(readFileSync(path()), bytes);
      restore();
      journal.restMs = Number.POSITIVE_INFINITY;
      await journal.add(allocation(9));
      await journal.close();
      assert.match(readFileSync(path(), 'utf8'), /"version":2/);
      const again = await open();
      assert.deepEqual(pods(again).sort(), [...PODS, ['c9', '10.244.0.9']].sort());
      assert.equal(released(again).length, 2);
    });

    it('refuses a journal of a newer version, says what to do, and leaves it as it is', async () => {
      const bytes = Buffer.from(
        encodeLine([{ format: 'flatroute allocations', version: JOURNAL_VERSION + 1 }]) +
          encodeLine([{ add: allocation(1) }]),
      );
      writeFileSync(path(), bytes);
      await assert.rejects(open(), (error: unknown) => {
        assert.ok(error instanceof JournalTooNew);
        assert.ok(
          error.message.startsWith(`${path()}: written by a newer version of Flatroute (journal format 3`),
        );
        assert.match(error.message, /Install the newer version again/);
        return true;
      });
      assert.deepEqual(readFileSync(path()), bytes);
    });
  });

  /** Makes a method of every open file fail; returns a function that restores it. */
  async function failing(method: 'sync' | 'datasync', from = 1): Promise<() => void> {
    const probe = await openFile(folder, 'r');
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const original = prototype[method];
    let calls = 0;
    prototype[method] = function (this: FileHandle) {
      return ++calls < from ? original.call(this) : Promise.reject(new Error('planned failure'));
    };
    return () => {
      prototype[method] = original;
    };
  }

  it('trusts only a new file after a failed sync', async () => {
    const journal = await open();
    await journal.add(allocation(1));
    const inode = statSync(path()).ino;
    const restore = await failing('datasync');
    await assert.rejects(journal.add(allocation(2)), /cannot be written: planned failure/);
    restore();
    // The bytes of the failed commit may or may not be on the disk; the next commit must not stand behind them.
    await journal.add(allocation(3));
    assert.notEqual(statSync(path()).ino, inode);
    await journal.close();
    assert.deepEqual(addresses(await open()), ['10.244.0.1', '10.244.0.3']);
  });

  it('completes a commit that the kernel writes in pieces', async () => {
    const journal = await open();
    const probe = await openFile(folder, 'r');
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
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
    assert.deepEqual(addresses(await open()), ['10.244.0.1', '10.244.0.2']);
    assert.deepEqual(warnings, []);
  });

  it('rejects changes after close, and can be closed twice', async () => {
    const journal = await open();
    await journal.add(allocation(1));
    const pending = journal.add(allocation(2));
    await journal.close();
    await pending;
    await assert.rejects(journal.add(allocation(3)), /allocations\.journal: closed/);
    await assert.rejects(journal.remove(allocation(1), 1000), /closed/);
    await journal.close();
    assert.deepEqual(addresses(await open()), ['10.244.0.1', '10.244.0.2']);
  });

  it('rejects commits until a new file is durable', async () => {
    const journal = await open();
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
    assert.deepEqual(addresses(await open()), ['10.244.0.1', '10.244.0.6']);
  });

  it('commits nothing to a rewritten file before its rename is durable', async () => {
    const journal = await open();
    const batch = Array.from({ length: 300 }, (_, n) => allocation(n));
    for (let round = 0; round < 2; round++) {
      await Promise.all(batch.map((it) => journal.add(it)));
      await Promise.all(batch.map((it) => journal.remove(it, 1000)));
    }
    const restore = await failing('sync', 2); // the new file, then the folder
    await assert.rejects(journal.add(allocation(1)), /planned failure/);
    restore();
    const inode = statSync(path()).ino;
    await journal.add(allocation(2));
    assert.notEqual(statSync(path()).ino, inode, 'committed to the file of the failed rewrite');
    await journal.close();
    assert.deepEqual(addresses(await open()), ['10.244.0.2']);
  });
});
