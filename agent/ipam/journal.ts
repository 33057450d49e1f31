/**
 * The allocations in a local file, for nodes without an API server to keep them. Append-only with group commit:
 * whoever comes while a flush is under way shares the next one. Rewritten when most of it is history.
 */
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFolder } from './lock.ts';
import { type Entry, encodeLine, HEADER_LINE, type JournalState, readJournal } from './records.ts';
import type { Allocation, AllocationStore, Release } from './store.ts';

interface Waiter {
  entry: Entry;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Most entries in one commit. */
const COMMIT_MAX = 1000;
/** Rewritten when it holds this many entries more than four times the live ones. */
const HISTORY_MAX = 1000;

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readOrCreate(folder: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // By rename, so that an empty journal is never the remains of a crash.
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(HEADER_LINE);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(folder);
  return Buffer.from(HEADER_LINE);
}

export interface JournalOptions {
  /** Its folder; made when missing, locked while the journal is open. */
  folder: string;
  /** Told of what a person should know: a torn record, a rewrite that failed. */
  warn: (text: string) => void;
}

export class Journal implements AllocationStore {
  restMs = 0;
  readonly path: string;
  readonly #options: JournalOptions;
  readonly #state: JournalState;
  readonly #unlock: () => Promise<void>;
  #file: FileHandle;
  #length: number;
  #waiting: Waiter[] = [];
  #committing: Promise<void> | undefined;
  /** The file may end in bytes of a commit that failed: rewrite it before anything else. */
  #suspect = false;
  /** Number of entries from which the next rewrite is tried. */
  #rewriteAt = 0;
  #closed = false;

  private constructor(
    options: JournalOptions,
    opened: {
      path: string;
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

  /** Opens or creates the journal. Throws JournalDamaged, or an Error where another process has the folder. */
  static async open(options: JournalOptions): Promise<Journal> {
    const { folder } = options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const unlock = await lockFolder(folder);
    try {
      const path = join(folder, 'allocations.journal');
      const bytes = await readOrCreate(folder, path);
      const { state, goodLength } = readJournal(path, bytes);
      const file = await open(path, 'r+');
      if (goodLength < bytes.length) {
        options.warn(
          `${path}: dropped an unfinished record of ${bytes.length - goodLength} bytes at byte ${goodLength}`,
        );
        await file.truncate(goodLength);
        await file.sync();
      }
      return new Journal(options, { path, state, file, length: goodLength, unlock });
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  get allocations(): Iterable<Allocation> {
    return this.#state.allocations.values();
  }

  get releases(): Iterable<Release> {
    return Array.from(this.#state.releases, ([address, time]) => ({ address, time }));
  }

  get lastAddress(): string | undefined {
    return this.#state.last;
  }

  add(allocation: Allocation): Promise<void> {
    return this.#append({ add: allocation });
  }

  remove(allocation: Allocation, time: number): Promise<void> {
    const { containerId, ifname, address } = allocation;
    return this.#append({ release: { containerId, ifname, address, time } });
  }

  /** Waits for what is under way, then closes the file and unlocks the folder. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#committing;
    await this.#file.close();
    await this.#unlock();
  }

  #append(entry: Entry): Promise<void> {
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
        await this.#tidy();
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

  async #commit(entries: Entry[]): Promise<void> {
    const bytes = Buffer.from(encodeLine(entries));
    // After a failed flush the kernel forgets what it could not write: only a new file can be trusted then.
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

  async #tidy(): Promise<void> {
    const { allocations, entries } = this.#state;
    const full = entries > Math.max(this.#rewriteAt, 4 * allocations.size + HISTORY_MAX);
    if (!this.#suspect && !full) return;
    try {
      await this.#rewrite();
    } catch (error) {
      if (this.#suspect) throw error;
      this.#rewriteAt = 2 * entries;
      this.#options.warn(
        `${this.path}: cannot be rewritten, it goes on growing: ${(error as Error).message}`,
      );
    }
  }

  /** Writes the state as a new journal, flushes it, and puts it in the old one's place. */
  async #rewrite(): Promise<void> {
    const lines = [...this.#state.lines(Date.now() - this.restMs)];
    const bytes = Buffer.from(lines.join(''));
    const temporary = `${this.path}.tmp`;
    const file = await open(temporary, 'w+', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
      await rename(temporary, this.path);
    } catch (error) {
      await file.close();
      await rm(temporary, { force: true });
      throw error;
    }
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
