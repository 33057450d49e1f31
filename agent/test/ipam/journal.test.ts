import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Journal } from '../../ipam/journal.ts';
import { encodeLine, HEADER_LINE, JournalDamaged, readJournal } from '../../ipam/records.ts';
import type { Allocation } from '../../ipam/store.ts';

function allocation(n: number): Allocation {
  return {
    containerId: `c${n}`,
    ifname: 'eth0',
    network: 'flatroute',
    pod: { namespace: 'default', name: `pod-${n}` },
    netns: `/run/netns/pod${n}`,
    hostInterface: `fr${n}`,
    address: `10.244.${n >> 8}.${n & 255}`,
    since: '2026-01-01T00:00:00.000Z',
  };
}

describe('ipam journal', () => {
  let folder: string;
  let warnings: string[];
  let opened: Journal[];
  const open = async (): Promise<Journal> => {
    const journal = await Journal.open({ folder, warn: (text) => warnings.push(text) });
    opened.push(journal);
    return journal;
  };
  const path = (): string => join(folder, 'allocations.journal');
  const addresses = (journal: Journal): string[] => [...journal.allocations].map(({ address }) => address);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flatroute-journal-'));
    warnings = [];
    opened = [];
  });

  afterEach(async () => {
    await Promise.all(opened.map((journal) => journal.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('remembers what was added and released, in a file for root only', async () => {
    const first = await open();
    for (const n of [1, 2, 3]) await first.add(allocation(n));
    await first.remove(allocation(2), 1000);
    await first.close();
    assert.equal(statSync(path()).mode & 0o777, 0o600);
    const second = await open();
    assert.deepEqual([...second.allocations], [allocation(1), allocation(3)]);
    assert.deepEqual([...second.releases], [{ address: '10.244.0.2', time: 1000 }]);
    assert.equal(second.lastAddress, '10.244.0.3');
    assert.deepEqual(warnings, []);
  });

  it('commits what comes together in few flushes', async () => {
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

  it('survives being cut at every byte of its last commit, and goes on behind it', async () => {
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

  it('takes a hole of zeros in the last commit for a torn write', () => {
    const line = Buffer.from(encodeLine([{ add: allocation(2) }]));
    line.fill(0, 30, 60);
    const bytes = Buffer.concat([Buffer.from(HEADER_LINE), line]);
    assert.equal(readJournal('j', bytes).goodLength, HEADER_LINE.length);
  });

  it('refuses damage anywhere else, with file and offset, byte by byte', () => {
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
    const read = (...entries: Parameters<typeof encodeLine>[0][]) =>
      readJournal('j', Buffer.from(HEADER_LINE + entries.map(encodeLine).join('')));
    assert.throws(() => readJournal('j', Buffer.alloc(0)), /empty/);
    assert.throws(() => readJournal('j', Buffer.from('12345678')), JournalDamaged);
    assert.throws(
      () => readJournal('j', Buffer.from(encodeLine([{ format: 'flatroute allocations', version: 9 }]))),
      /version 9/,
    );
    const thief = { ...allocation(2), address: allocation(1).address };
    assert.throws(
      () => read([{ add: allocation(1) }], [{ add: thief }]),
      /gives 10\.244\.0\.1 of c1\/eth0 to c2\/eth0/,
    );
    assert.throws(() => read([{ release: { ...allocation(1), time: 1 } }]), /does not hold/);
  });

  it('keeps a damaged journal as it is and does not open', async () => {
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

  it('rewrites itself when it is mostly history, and loses nothing by it', async () => {
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
    assert.equal(again.lastAddress, '10.244.0.8');
  });

  it('cannot be opened twice, and not by another process', async () => {
    const journal = await open();
    await assert.rejects(
      Journal.open({ folder, warn: () => {} }),
      new RegExp(`in use by another agent \\(process ${process.pid}\\)`),
    );
    const url = new URL('../../ipam/journal.ts', import.meta.url);
    const script = `const { Journal } = await import(${JSON.stringify(url.href)});
      await Journal.open({ folder: ${JSON.stringify(folder)}, warn() {} }).then(() => console.log('opened'), (e) => console.log(e.message))`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    for await (const chunk of child.stdout) output += chunk;
    assert.match(output, /in use by another agent/);
    await journal.close();
    assert.ok(await open());
  });
});
