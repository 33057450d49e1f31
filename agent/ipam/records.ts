/**
 * The journal's text: one line a commit, `CRC-32 of the rest in hex, space, JSON array of entries`, so that what was
 * committed together is valid together. The first line names the format.
 */
import { crc32 } from 'node:zlib';
import { type Allocation, ownerKey, type Release } from './store.ts';

export type Entry =
  | { format: string; version: number }
  | { add: Allocation }
  | { release: { containerId: string; ifname: string } & Release }
  /** Releases and the last address, as a compacted journal states them. */
  | { resting: Release }
  | { last: string };

const FORMAT = { format: 'flatroute allocations', version: 1 };

/** The first line of every journal. */
export const HEADER_LINE = encodeLine([FORMAT]);

/** One commit as a line. */
export function encodeLine(entries: readonly Entry[]): string {
  const text = JSON.stringify(entries);
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
}

/** The state that a journal's entries add up to. */
export class JournalState {
  readonly allocations = new Map<string, Allocation>();
  /** Address → time of its release, oldest first. */
  readonly releases = new Map<string, number>();
  last: string | undefined;
  /** Entries applied: what the file holds, against which compaction is weighed. */
  entries = 0;
  readonly #holders = new Map<string, string>();

  /** Applies an entry. Throws where it contradicts what came before. */
  apply(entry: Entry): void {
    this.entries++;
    if ('add' in entry) this.#add(entry.add);
    else if ('release' in entry) this.#release(entry.release);
    else if ('resting' in entry) this.releases.set(entry.resting.address, entry.resting.time);
    else if ('last' in entry) this.last = entry.last;
    else this.#checkFormat(entry);
  }

  #checkFormat(header: typeof FORMAT): void {
    if (header.format === FORMAT.format && header.version === FORMAT.version) return;
    throw new Error(
      `names format ${JSON.stringify(header.format)}, version ${header.version}, which this agent cannot read`,
    );
  }

  #add(allocation: Allocation): void {
    const key = ownerKey(allocation);
    const before = this.allocations.get(key);
    const holder = this.#holders.get(allocation.address);
    if (holder !== undefined && holder !== key)
      throw new Error(`gives ${allocation.address} of ${holder} to ${key}`);
    if (before !== undefined && before.address !== allocation.address)
      throw new Error(`gives a second address to ${key}`);
    this.allocations.set(key, allocation);
    this.#holders.set(allocation.address, key);
    this.releases.delete(allocation.address);
    this.last = allocation.address;
  }

  #release(release: { containerId: string; ifname: string } & Release): void {
    const key = ownerKey(release);
    if (this.#holders.get(release.address) !== key)
      throw new Error(`releases ${release.address}, which ${key} does not hold`);
    this.allocations.delete(key);
    this.#holders.delete(release.address);
    this.releases.delete(release.address);
    this.releases.set(release.address, release.time);
  }

  /** The shortest journal of this state; releases before `since` are left out. */
  *lines(since: number): Generator<string> {
    yield HEADER_LINE;
    for (const [address, time] of this.releases) {
      if (time >= since) yield encodeLine([{ resting: { address, time } }]);
    }
    for (const allocation of this.allocations.values()) yield encodeLine([{ add: allocation }]);
    if (this.last !== undefined) yield encodeLine([{ last: this.last }]);
  }
}

/** A journal that cannot be trusted. The agent must not start on it: it could give one address to two pods. */
export class JournalDamaged extends Error {
  override name = 'JournalDamaged';

  constructor(file: string, offset: number, what: string) {
    super(
      `${file}: at byte ${offset}: ${what}. Addresses could be handed out twice, so this journal is not used. ` +
        'Restore it from a backup; or remove all pods of this node, delete the file, and start again.',
    );
  }
}

function decodeLine(line: Buffer): Entry[] | undefined {
  if (line.length < 10 || line[8] !== 0x20) return undefined;
  const text = line.subarray(9);
  if (line.toString('latin1', 0, 8) !== crc32(text).toString(16).padStart(8, '0')) return undefined;
  return JSON.parse(text.toString('utf8')) as Entry[];
}

/**
 * Reads a whole journal. Its last line may be torn, as after a power cut in the middle of a write nobody was told
 * of: it lacks its line feed, or has a hole of zero bytes where a block never reached the disk. Anything else that is
 * not as it was written is damage.
 * @param file its name, for errors.
 * @returns the state, and the length in bytes that is good.
 * @throws JournalDamaged
 */
export function readJournal(file: string, bytes: Buffer): { state: JournalState; goodLength: number } {
  const state = new JournalState();
  let offset = 0;
  while (offset < bytes.length) {
    const feed = bytes.indexOf(0x0a, offset);
    const end = feed < 0 ? bytes.length : feed;
    const line = bytes.subarray(offset, end);
    const entries = feed < 0 ? undefined : decodeLine(line);
    if (entries === undefined) {
      const last = feed < 0 || feed === bytes.length - 1;
      const torn = feed < 0 || line.includes(0);
      if (last && torn && offset > 0) break;
      throw new JournalDamaged(file, offset, 'the checksum of this record does not match');
    }
    try {
      for (const entry of entries) state.apply(entry);
    } catch (error) {
      throw new JournalDamaged(file, offset, `this record ${(error as Error).message}`);
    }
    offset = end + 1;
  }
  if (offset === 0)
    throw new JournalDamaged(file, 0, 'the file is empty, without even the line that names its format');
  return { state, goodLength: offset };
}
