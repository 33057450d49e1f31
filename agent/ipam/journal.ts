/**
 * The allocation store of a node without an API server: a write-ahead journal in a local file.
 *
 * The problem. A pod may get an address only after the allocation is durable; otherwise the agent would allocate the
 * address again after a power cut. Fifty pods may start at the same moment, and one fsync takes milliseconds. The file
 * must be readable after a power cut at any time: an agent that guesses its allocations gives one address to two pods.
 *
 * Why not write the whole state? Every change would cost the size of the state, and a crash during the write leaves
 * half a file. So changes are appended, one line for each commit, and the file is rewritten only when most of its
 * entries are obsolete.
 *
 * 1. Group commit. `add` and `remove` queue an entry (`#append`) and start `#commitAll` if it is not running. It takes
 *    the queued entries, writes them as one line, calls fdatasync, and resolves their promises. Entries that arrive
 *    during the fdatasync share the next one. So fifty pods need two or three syncs, and a single pod does not wait for
 *    others.
 *
 * 2. Torn writes. A line has a checksum (journal-format.ts). A power cut can tear only the last line, because the next
 *    one is written after the sync of the one before. `open` truncates a torn last line: its promises were not
 *    resolved, so no pod has these addresses. A power cut cannot cause damage anywhere else; then `open` refuses the
 *    file, and the operator decides.
 *
 * 3. A failed fsync. After it the kernel may drop the pages that it could not write and report success the next time
 *    (fsync(2); "fsyncgate", 2018). The content of the file after the last good commit is unknown, and nothing appended
 *    to it can be trusted. `#suspect` is set during every write and stays set after a failure; then the next commit
 *    first writes the state to a new file (`#rewrite`). If that fails too, the entries' promises reject.
 *
 * 4. Rewriting. `#rewrite` writes the state to a temporary file, syncs it, renames it over the journal and syncs the
 *    folder. A crash leaves the old file or the new one, both complete. Until the folder is synced the rename may be
 *    undone by a power cut, which would take later commits with it; therefore the journal is suspect until then.
 *
 * 5. Upgrade. A journal of an older format is read and rewritten in the present one before anything is appended, so no
 *    file mixes formats. If the disk is full, the agent still starts: the file stays as it is, and suspect, until the
 *    next commit rewrites it. A journal of a newer format is refused (JournalTooNew).
 *
 * One process writes: `open` locks the folder (lock.ts).
 */
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { IPAddress } from 'bgp-js/ip';
import {
  encodeLine,
  HEADER_LINE,
  JOURNAL_VERSION,
  type JournalEntry,
  type JournalState,
  readJournal,
} from './journal-format.ts';
import { type LockWait, lockFolder } from './lock.ts';
import type { Allocation, AllocationStore, Release } from './store.ts';

/** An entry that waits for its commit. */
interface Waiter {
  entry: JournalEntry;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Most entries in one commit. */
const COMMIT_MAX = 1000;
/** The file is rewritten when its entries exceed four times the live ones by this number. */
const HISTORY_MAX = 1000;

/** Makes renames in the folder durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces `path` with a durable file of these bytes and returns the open file. Call `syncFolder` afterwards. */
async function replaceFile(path: string, bytes: Uint8Array): Promise<FileHandle> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w+', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
    await rename(temporary, path);
    return file;
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

async function readOrCreate(folder: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // Created by rename, so a crash never leaves an empty journal.
  const header = Buffer.from(HEADER_LINE);
  const file = await replaceFile(path, header);
  await file.close();
  await syncFolder(folder);
  return header;
}

/** What `Journal.open` needs. */
export interface JournalOptions {
  /** Its folder; created if it is missing, locked while the journal is open. */
  folder: string;
  /** Receives what an operator should know: a torn commit, an upgrade, a rewrite that failed. */
  report: (level: 'info' | 'warn', text: string) => void;
  /** How long to wait for an agent that is stopping and still has the lock; by default 2 s. */
  lockWait?: LockWait;
}

/** The journal of one node; the head of this file explains how it works. */
export class Journal implements AllocationStore {
  quarantineMs = 0;
  /** Path of the file. */
  readonly path: string;
  readonly #options: JournalOptions;
  readonly #state: JournalState;
  readonly #unlock: () => Promise<void>;
  #file: FileHandle;
  /** Length of the committed part in bytes; the next commit is written there. */
  #length: number;
  #waiting: Waiter[] = [];
  #committing: Promise<void> | undefined;
  /** Whether the file may lack committed entries or has an older format. It is rewritten before the next commit. */
  #suspect = false;
  /** After a failed rewrite: the number of entries at which the next one is tried. */
  #rewriteAt = 0;
  #closed = false;

  private constructor(
    options: JournalOptions,
    opened: Pick<Journal, 'path'> & {
      state: JournalState;
      file: FileHandle;
      length: number;
      unlock: () => Promise<void>;
    },
  ) {
    this.#options = options;
    this.path = opened.path;
    this.#state = opened.state;
    this.#file = opened.file;
    this.#length = opened.length;
    this.#unlock = opened.unlock;
  }

  /**
   * Opens or creates the journal, and upgrades one of an older format.
   * @throws JournalDamaged; JournalTooNew; Error if another process holds the folder or the file cannot be read
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const { folder, report } = options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const unlock = await lockFolder(folder, options.lockWait);
    try {
      const path = join(folder, 'allocations.journal');
      const bytes = await readOrCreate(folder, path);
      const { state, version, goodLength } = readJournal(path, bytes);
      const file = await open(path, 'r+');
      if (goodLength < bytes.length) {
        report(
          'warn',
          `${path}: dropped an unfinished record of ${bytes.length - goodLength} bytes at byte ${goodLength}`,
        );
        await file.truncate(goodLength);
        await file.sync();
      }
      const journal = new Journal(options, { path, state, file, length: goodLength, unlock });
      if (version < JOURNAL_VERSION) await journal.#upgrade(version);
      return journal;
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  get allocations(): Iterable<Allocation> {
    return this.#state.allocations.values();
  }

  get releases(): Iterable<Release> {
    return [...this.#state.releases.values()];
  }

  get lastAddresses(): readonly IPAddress[] {
    return [...this.#state.last.values()];
  }

  async add(allocation: Allocation): Promise<void> {
    const conflict = this.#state.conflict(allocation);
    if (conflict) throw conflict;
    await this.#append({ add: allocation });
  }

  remove(allocation: Allocation, time: number): Promise<void> {
    const { containerId, ifname, addresses } = allocation;
    return this.#append({ release: { containerId, ifname, addresses, time } });
  }

  /** Waits for pending commits, closes the file and unlocks the folder. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#committing;
    await this.#file.close();
    await this.#unlock();
  }

  #append(entry: JournalEntry): Promise<void> {
    if (this.#closed) return Promise.reject(new Error(`${this.path}: closed`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      this.#committing ??= this.#commitAll();
    });
  }

  async #commitAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, COMMIT_MAX);
      try {
        await this.#rewriteIfNeeded();
        await this.#commit(batch.map(({ entry }) => entry));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        const failed = new Error(`${this.path}: cannot be written: ${(error as Error).message}`, {
          cause: error,
        });
        for (const { reject } of batch) reject(failed);
      }
    }
    this.#committing = undefined;
  }

  async #commit(entries: JournalEntry[]): Promise<void> {
    const bytes = Buffer.from(encodeLine(entries));
    this.#suspect = true;
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#length + done);
      done += bytesWritten;
    }
    await this.#file.datasync();
    this.#suspect = false;
    this.#length += bytes.length;
    for (const entry of entries) this.#state.apply(entry);
  }

  async #rewriteIfNeeded(): Promise<void> {
    const { allocations, entries } = this.#state;
    const full = entries > Math.max(this.#rewriteAt, 4 * allocations.size + HISTORY_MAX);
    if (!this.#suspect && !full) return;
    try {
      await this.#rewrite(Date.now() - this.quarantineMs);
    } catch (error) {
      if (this.#suspect) throw error;
      this.#rewriteAt = 2 * entries;
      const text = `${this.path}: cannot be rewritten and keeps growing: ${(error as Error).message}`;
      this.#options.report('warn', text);
    }
  }

  /** Rewrites a journal of an older format. If that fails, the next commit tries again before it writes. */
  async #upgrade(from: number): Promise<void> {
    const { report } = this.#options;
    this.#suspect = true;
    try {
      // Keeps all releases, because the quarantine period, which decides which ones to keep, is set later.
      await this.#rewrite(Number.NEGATIVE_INFINITY);
      report(
        'info',
        `${this.path}: upgraded from format ${from} to ${JOURNAL_VERSION}; older versions of Flatroute refuse it from now on`,
      );
    } catch (error) {
      const problem = (error as Error).message;
      report(
        'warn',
        `${this.path}: cannot be upgraded to format ${JOURNAL_VERSION} yet, will retry: ${problem}`,
      );
    }
  }

  /** Replaces the file by a new one with the present state, without the releases before `since` (ms since the epoch). */
  async #rewrite(since: number): Promise<void> {
    const lines = [...this.#state.lines(since)];
    const bytes = Buffer.from(lines.join(''));
    const file = await replaceFile(this.path, bytes);
    // Until the folder is synced a power cut may bring the old file back.
    this.#suspect = true;
    const old = this.#file;
    this.#file = file;
    this.#length = bytes.length;
    this.#state.entries = lines.length;
    this.#rewriteAt = 0;
    await old.close();
    await syncFolder(this.#options.folder);
    this.#suspect = false;
  }
}
