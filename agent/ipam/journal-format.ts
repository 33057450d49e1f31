/**
 * The text of the journal. One commit is one line: the CRC-32 of the rest in eight hex digits, a space, and a JSON array
 * of entries; so the entries of a commit are valid together or not at all. The first line names the format's version.
 *
 * Version 2 gives an allocation a list of addresses. Version 1 knew one address:
 *
 *   entry     version 1                                     version 2
 *   add       {…owner, "address": "10.244.1.7", since}      {…owner, "addresses": ["10.244.1.7"], since}
 *   release   {containerId, ifname, "address": "…", time}   {containerId, ifname, "addresses": ["…"], time}
 *   resting   {"address": "…", time}                        the same
 *   last      "10.244.1.7"                                  ["10.244.1.7"], at most one a family
 *
 * Entries of version 1 are read as their equivalent of version 2 (`upgradeEntry`); only version 2 is written.
 */
import { crc32 } from 'node:zlib';
import { type IPAddress, parseAddress } from 'bgp-js/ip';
import { type Allocation, type AttachmentId, ConflictError, ownerKey, type Release } from './store.ts';

/** The version that is written. */
export const JOURNAL_VERSION = 2;
const FORMAT = 'flatroute allocations';

/** One change of the state. */
export type JournalEntry =
  | { add: Allocation }
  | { release: AttachmentId & { addresses: readonly IPAddress[]; time: number } }
  /** A release and the last addresses, as a rewritten journal states them. */
  | { resting: Release }
  | { last: readonly IPAddress[] };

/** The first line of every journal. */
export const HEADER_LINE = encodeLine([{ format: FORMAT, version: JOURNAL_VERSION }]);

/** One commit as a line. Addresses become text by their `toJSON`. */
export function encodeLine(entries: readonly (JournalEntry | { format: string; version: number })[]): string {
  const text = JSON.stringify(entries);
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
}

/** The journal cannot be trusted. The agent must not start with it: it could give one address to two pods. */
export class JournalDamaged extends Error {
  override name = 'JournalDamaged';

  constructor(file: string, offset: number, problem: string) {
    super(
      `${file}: at byte ${offset}: ${problem}. Addresses could be allocated twice, so this journal is not used. ` +
        'Restore it from a backup; or remove all pods of this node, delete the file, and start again.',
    );
  }
}

/** The journal was written by a newer version of Flatroute. It is intact, but this version cannot read it. */
export class JournalTooNew extends Error {
  override name = 'JournalTooNew';

  constructor(file: string, version: number) {
    super(
      `${file}: written by a newer version of Flatroute (journal format ${version}, this version reads 1 to ` +
        `${JOURNAL_VERSION}). Install the newer version again, or see "Going back to an older version" in docs/operations.md.`,
    );
  }
}

/** The state that the entries of a journal add up to. */
export class JournalState {
  /** By attachment, oldest first. */
  readonly allocations = new Map<string, Allocation>();
  /** By the key of the address, oldest first. */
  readonly releases = new Map<number | string, Release>();
  /** The address allocated last of each IP version. */
  readonly last = new Map<number, IPAddress>();
  /** Number of entries in the file; decides when it is rewritten. */
  entries = 0;
  readonly #holders = new Map<number | string, string>();

  /** The conflict of an allocation with another attachment's, if any. */
  conflict(allocation: Allocation): ConflictError | undefined {
    const key = ownerKey(allocation);
    for (const address of allocation.addresses) {
      const holder = this.#holders.get(address.key);
      if (holder !== undefined && holder !== key) return new ConflictError(address, holder);
    }
    return undefined;
  }

  /** Applies an entry. Throws an Error if it contradicts the entries before it. */
  apply(entry: JournalEntry): void {
    this.entries++;
    if ('add' in entry) this.#add(entry.add);
    else if ('release' in entry) this.#release(entry.release);
    else if ('resting' in entry) this.releases.set(entry.resting.address.key, entry.resting);
    else this.#setLast(entry.last);
  }

  #add(allocation: Allocation): void {
    const key = ownerKey(allocation);
    const conflict = this.conflict(allocation);
    if (conflict)
      throw new Error(`gives ${conflict.address} of ${this.#holders.get(conflict.address.key)} to ${key}`);
    const before = this.allocations.get(key);
    if (before !== undefined && !equal(before.addresses, allocation.addresses))
      throw new Error(
        `gives ${allocation.addresses.join(', ')} to ${key}, which holds ${before.addresses.join(', ')}`,
      );
    this.allocations.set(key, allocation);
    for (const address of allocation.addresses) {
      this.#holders.set(address.key, key);
      this.releases.delete(address.key);
    }
    this.#setLast(allocation.addresses);
  }

  #release(release: AttachmentId & { addresses: readonly IPAddress[]; time: number }): void {
    const key = ownerKey(release);
    if (!equal(this.allocations.get(key)?.addresses ?? [], release.addresses))
      throw new Error(`releases ${release.addresses.join(', ')}, which ${key} does not hold`);
    this.allocations.delete(key);
    for (const address of release.addresses) {
      this.#holders.delete(address.key);
      // At the end of the map, because `#add` deleted an earlier release.
      this.releases.set(address.key, { address, time: release.time });
    }
  }

  #setLast(addresses: readonly IPAddress[]): void {
    for (const address of addresses) this.last.set(address.version, address);
  }

  /** The lines of the shortest journal of this state, without the releases before `since` (ms since the epoch). */
  *lines(since: number): Generator<string> {
    yield HEADER_LINE;
    for (const resting of this.releases.values()) {
      if (resting.time >= since) yield encodeLine([{ resting }]);
    }
    for (const add of this.allocations.values()) yield encodeLine([{ add }]);
    if (this.last.size > 0) yield encodeLine([{ last: [...this.last.values()] }]);
  }
}

function equal(some: readonly IPAddress[], others: readonly IPAddress[]): boolean {
  return some.length === others.length && some.every((address, at) => address.equals(others[at]));
}

/** A journal as read from its file. */
export interface ReadJournal {
  state: JournalState;
  /** Version of the format in which the file is written. */
  version: number;
  /** Length of the part that is intact, in bytes; the rest is a torn commit. */
  goodLength: number;
}

/**
 * Reads a whole journal. The last line may be torn: a power cut came in the middle of a write whose promise had not
 * fulfilled. A torn line lacks its line feed, or holds zero bytes where a block never reached the disk. Anything else
 * that does not match its checksum is damage.
 * @param file its name, for errors
 * @throws JournalDamaged, JournalTooNew
 */
export function readJournal(file: string, bytes: Buffer): ReadJournal {
  const state = new JournalState();
  let version = 0;
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
    if (offset === 0) version = readHeader(file, entries);
    else applyAll(state, entries, version, (problem) => new JournalDamaged(file, offset, problem));
    offset = end + 1;
  }
  if (offset === 0) throw new JournalDamaged(file, 0, 'the file is empty and does not even name its format');
  state.entries++; // the header
  return { state, version, goodLength: offset };
}

/** The entries of a line; undefined if its checksum does not match. */
function decodeLine(line: Buffer): unknown[] | undefined {
  if (line.length < 10 || line[8] !== 0x20) return undefined;
  const text = line.subarray(9);
  if (line.toString('latin1', 0, 8) !== crc32(text).toString(16).padStart(8, '0')) return undefined;
  return JSON.parse(text.toString('utf8')) as unknown[];
}

function readHeader(file: string, entries: unknown[]): number {
  const { format, version } = (entries[0] ?? {}) as { format?: unknown; version?: unknown };
  if (format !== FORMAT || !Number.isInteger(version) || Number(version) < 1)
    throw new JournalDamaged(
      file,
      0,
      `the first record does not name the format "${FORMAT}" and its version`,
    );
  if (Number(version) > JOURNAL_VERSION) throw new JournalTooNew(file, Number(version));
  return Number(version);
}

function applyAll(
  state: JournalState,
  entries: unknown[],
  version: number,
  damaged: (problem: string) => JournalDamaged,
): void {
  try {
    for (const entry of entries) state.apply(decodeEntry(version === 1 ? upgradeEntry(entry) : entry));
  } catch (error) {
    throw damaged(`this record ${(error as Error).message}`);
  }
}

/** An entry as JSON has it. */
type RawEntry = Partial<Record<'add' | 'release' | 'resting', Record<string, unknown>>> & { last?: unknown };

/** An entry of version 1 as version 2 writes it. */
function upgradeEntry(entry: unknown): RawEntry {
  const listed = ({ address, ...others }: Record<string, unknown>) => ({ ...others, addresses: [address] });
  const { add, release, last, ...others } = entry as RawEntry;
  return {
    ...others,
    ...(add && { add: listed(add) }),
    ...(release && { release: listed(release) }),
    ...(last !== undefined && { last: [last] }),
  };
}

/** An entry with its addresses as values. Throws an Error if it is not an entry. */
function decodeEntry(entry: unknown): JournalEntry {
  const { add, release, resting, last } = entry as RawEntry;
  if (add) return { add: { ...(add as unknown as Allocation), addresses: decodeAddresses(add.addresses) } };
  if (release) {
    const { containerId, ifname, time } = release as unknown as AttachmentId & { time: number };
    return { release: { containerId, ifname, addresses: decodeAddresses(release.addresses), time } };
  }
  if (resting) return { resting: { address: decodeAddress(resting.address), time: Number(resting.time) } };
  if (last) return { last: decodeAddresses(last) };
  throw new Error(`has an entry of an unknown kind: ${Object.keys(entry as object).join(', ')}`);
}

function decodeAddresses(list: unknown): IPAddress[] {
  if (!Array.isArray(list) || list.length === 0) throw new Error('has no list of addresses');
  return list.map(decodeAddress);
}

function decodeAddress(text: unknown): IPAddress {
  const address = parseAddress(String(text));
  if (address === null) throw new Error(`has "${text}" in place of an address`);
  return address;
}
