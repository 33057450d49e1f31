/** What the tests of the journal share: allocations, a folder with a journal, and files whose methods fail. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IPAddress } from 'bgp-js/ip';
import { Journal } from '../../ipam/journal.ts';
import type { Allocation } from '../../ipam/store.ts';

/** The allocation of 10.244.0.0 plus `n` to container `c<n>`. */
export function allocation(n: number): Allocation {
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

/** A folder with a journal, and the journals that were opened in it. */
export class JournalFolder {
  readonly folder = mkdtempSync(join(tmpdir(), 'flatroute-journal-'));
  readonly path = join(this.folder, 'allocations.journal');
  /** Texts of the level `warn`, and of the level `info`. */
  warnings: string[] = [];
  infos: string[] = [];
  readonly #opened: Journal[] = [];

  async open(): Promise<Journal> {
    const journal = await Journal.open({
      folder: this.folder,
      report: (level, text) => (level === 'warn' ? this.warnings : this.infos).push(text),
    });
    this.#opened.push(journal);
    return journal;
  }

  read(): Buffer {
    return readFileSync(this.path);
  }

  async remove(): Promise<void> {
    await Promise.all(this.#opened.map((journal) => journal.close()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The prototype of every open file, on which tests replace methods. */
export async function filePrototype(): Promise<FileHandle> {
  const probe = await open('/dev/null', 'r');
  await probe.close();
  return Object.getPrototypeOf(probe) as FileHandle;
}

/** Makes a method of every open file fail from the given call on. Returns a function that restores it. */
export async function failing(method: 'sync' | 'datasync', from = 1): Promise<() => void> {
  const prototype = await filePrototype();
  const original = prototype[method];
  let calls = 0;
  prototype[method] = function (this: FileHandle) {
    return ++calls < from ? original.call(this) : Promise.reject(new Error('planned failure'));
  };
  return () => {
    prototype[method] = original;
  };
}
