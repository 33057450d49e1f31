import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { Journal } from '../../ipam/journal.ts';
import {
  encodeLine,
  HEADER_LINE,
  JOURNAL_VERSION,
  JournalDamaged,
  type JournalEntry,
  JournalTooNew,
  readJournal,
} from '../../ipam/journal-format.ts';
import { ip } from '../addresses.ts';
import { allocation, failing, JournalFolder } from './journal-folder.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url);

describe('journal format', () => {
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
    assert.throws(() => readJournal('j', Buffer.from(encodeLine([]))), /does not name the format/);
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
});

describe('journal upgrade', () => {
  let test: JournalFolder;

  beforeEach(() => {
    test = new JournalFolder();
  });

  afterEach(() => test.remove());

  const fixture = (name: string): Buffer => readFileSync(new URL(name, FIXTURES));
  /** Puts bytes in the journal's place, opens it, closes it, and opens it again. */
  const upgrade = async (bytes: Buffer): Promise<Journal> => {
    writeFileSync(test.path, bytes);
    const journal = await test.open();
    const version = `"version":${JOURNAL_VERSION}`;
    assert.ok(readFileSync(test.path, 'utf8').split('\n')[0].includes(version), 'the file was not rewritten');
    assert.match(test.infos.join(), /upgraded from format 1 to 2/);
    await journal.close();
    test.infos = [];
    const again = await test.open();
    assert.deepEqual(test.infos, [], 'upgraded twice');
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
    assert.deepEqual(test.warnings, []);
  });

  it('takes over a journal of version 1 that was rewritten, and then works with it', async () => {
    const journal = await upgrade(fixture('version-1-rewritten.journal'));
    assert.deepEqual(pods(journal), [
      ['c1', '10.244.1.0'],
      ['c2', '10.244.1.1'],
    ]);
    assert.equal(released(journal).length, 10);
    assert.equal(journal.lastAddresses.join(), '10.244.1.6');
    const inode = statSync(test.path).ino;
    await journal.add(allocation(9));
    const [first] = journal.allocations;
    await journal.remove(first, 1000);
    assert.equal(statSync(test.path).ino, inode, 'rewritten again');
    await journal.close();
    assert.deepEqual(pods(await test.open()), [
      ['c2', '10.244.1.1'],
      ['c9', '10.244.0.9'],
    ]);
  });

  it('takes over a journal of version 1 with a torn tail, wherever it is cut', async () => {
    const whole = fixture('version-1.journal');
    const last = whole.subarray(0, -1).lastIndexOf(0x0a) + 1;
    for (const cut of [last + 1, last + 9, last + 100, whole.length - 1]) {
      test.infos = [];
      const journal = await upgrade(whole.subarray(0, cut));
      assert.deepEqual(pods(journal).sort(), PODS.slice(0, -1));
      assert.equal(journal.lastAddresses.join(), '10.244.1.2'); // the last record is a reassignment
      assert.match(test.warnings.join(), new RegExp(`unfinished record of ${cut - last} bytes`));
      await journal.close();
    }
  });

  it('refuses a damaged journal of version 1, and leaves it as it is', async () => {
    const bytes = fixture('version-1.journal');
    bytes[100] ^= 1;
    writeFileSync(test.path, bytes);
    await assert.rejects(test.open(), JournalDamaged);
    assert.deepEqual(test.read(), bytes);
  });

  it('starts with the old file if it cannot rewrite it, and upgrades it with the next commit', async () => {
    const bytes = fixture('version-1.journal');
    writeFileSync(test.path, bytes);
    const restore = await failing('sync');
    const journal = await test.open();
    assert.match(test.warnings.join(), /cannot be upgraded to format 2 yet, will retry: planned failure/);
    assert.deepEqual(pods(journal).sort(), PODS);
    assert.deepEqual(test.read(), bytes);
    await assert.rejects(journal.add(allocation(9)), /cannot be written: planned failure/);
    assert.deepEqual(test.read(), bytes);
    restore();
    journal.quarantineMs = Number.POSITIVE_INFINITY;
    await journal.add(allocation(9));
    await journal.close();
    assert.match(readFileSync(test.path, 'utf8'), /"version":2/);
    const again = await test.open();
    assert.deepEqual(pods(again).sort(), [...PODS, ['c9', '10.244.0.9']].sort());
    assert.equal(released(again).length, 2);
  });

  it('refuses a journal of a newer version, says what to do, and leaves it as it is', async () => {
    const bytes = Buffer.from(
      encodeLine([{ format: 'flatroute allocations', version: JOURNAL_VERSION + 1 }]) +
        encodeLine([{ add: allocation(1) }]),
    );
    writeFileSync(test.path, bytes);
    await assert.rejects(test.open(), (error: unknown) => {
      assert.ok(error instanceof JournalTooNew);
      assert.ok(
        error.message.startsWith(`${test.path}: written by a newer version of Flatroute (journal format 3`),
      );
      assert.match(error.message, /Install the newer version again/);
      return true;
    });
    assert.deepEqual(test.read(), bytes);
  });
});
