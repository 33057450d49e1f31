/** The node's addresses: who holds which, what is free, and both of it durable before anybody is told. */
import { Allocator, type RangeUsage } from './allocator.ts';
import { contains, formatAddress, parseAddress, parseRanges, type Range } from './ranges.ts';
import { type Allocation, type AllocationStore, type Owner, ownerKey, ownerName } from './store.ts';

/** No address can be had now; the text says why. */
export class NoAddressError extends Error {
  override name = 'NoAddressError';
}

/** New ranges that would take the address of a running pod away. */
export class RangeInUseError extends Error {
  override name = 'RangeInUseError';
}

export interface IpamOptions {
  /** The ranges, as IPv4 CIDRs that do not overlap. */
  cidrs: readonly string[];
  /** Addresses that no pod may get: the node's own. */
  reserved: readonly string[];
  /** How long a released address rests before it is handed out again. */
  quarantineSeconds: number;
  store: AllocationStore;
  /** Milliseconds of a clock that does not go back, for tests; by default the process's own. */
  now?: () => number;
}

/** How many pods an error names before it says "and N more". */
const NAMED_MAX = 5;

export class Ipam {
  readonly #store: AllocationStore;
  readonly #now: () => number;
  readonly #reserved: number[];
  readonly #byOwner = new Map<string, Allocation>();
  readonly #byAddress = new Map<string, Allocation>();
  /** Released, but a link may still hold them: taken until `rest`. */
  readonly #lingering = new Set<number>();
  #ranges: Range[];
  #allocator: Allocator;
  #quarantineMs = 0;

  /** Takes up what the store remembers. Throws where the ranges are wrong. */
  constructor(options: IpamOptions) {
    this.#store = options.store;
    this.#now = options.now ?? (() => performance.now());
    this.#reserved = options.reserved.map((text) => {
      const address = parseAddress(text);
      if (address === undefined) throw new Error(`"${text}" is not an IPv4 address`);
      return address;
    });
    this.setQuarantine(options.quarantineSeconds);
    this.#ranges = parseRanges(options.cidrs);
    for (const allocation of this.#store.allocations) this.#note(allocation);
    const wallClock = Date.now();
    const rests = Array.from(this.#store.releases, ({ address, time }): [number, number] => {
      // A clock that was set back must not make an address rest for ever.
      const rested = Math.max(0, wallClock - time);
      return [toNumber(address), this.#now() + this.#quarantineMs - rested];
    });
    this.#allocator = this.#build(this.#ranges, rests);
    if (this.#store.lastAddress !== undefined)
      this.#allocator.continueAfter(toNumber(this.#store.lastAddress));
  }

  /** Every allocation, oldest first. */
  all(): Iterable<Allocation> {
    return this.#byOwner.values();
  }

  get(owner: { containerId: string; ifname: string }): Allocation | undefined {
    return this.#byOwner.get(ownerKey(owner));
  }

  /** The allocation of an address in dotted decimal. */
  find(address: string): Allocation | undefined {
    return this.#byAddress.get(address);
  }

  /** Allocations outside of the ranges, as after a change of configuration while the agent was down. */
  strays(): Allocation[] {
    return [...this.all()].filter(({ address }) => !this.#allocator.covers(toNumber(address)));
  }

  /**
   * Gives the owner an address; once the promise fulfils, it stays his beyond a power cut.
   * @param address this very address instead of the next free one.
   * @throws NoAddressError; the store's error where it cannot be written, and then nothing is allocated.
   */
  async allocate(owner: Owner, address?: string): Promise<Allocation> {
    if (this.get(owner)) throw new Error(`${ownerKey(owner)} holds an address already`);
    const taken = address === undefined ? this.#takeNext() : this.#takeExactly(address);
    const allocation: Allocation = {
      ...owner,
      address: formatAddress(taken),
      since: new Date().toISOString(),
    };
    this.#note(allocation);
    try {
      await this.#store.add(allocation);
    } catch (error) {
      this.#forget(allocation);
      this.#lingering.add(taken);
      this.rest(allocation.address);
      throw error;
    }
    return allocation;
  }

  /** Notes that the holder of an address now lives elsewhere (another netns), durably. */
  async reassign(allocation: Allocation, owner: Owner): Promise<Allocation> {
    const changed: Allocation = { ...owner, address: allocation.address, since: allocation.since };
    if (ownerKey(changed) !== ownerKey(allocation)) throw new Error('an address cannot change its container');
    await this.#store.add(changed);
    this.#note(changed);
    return changed;
  }

  /** Takes the address from its holder, durably. It is not free before `rest` says that no link has it any more. */
  async release(allocation: Allocation): Promise<void> {
    await this.#store.remove(allocation, Date.now());
    this.#forget(allocation);
    this.#lingering.add(toNumber(allocation.address));
  }

  /** Lets the quarantine of a released address begin. */
  rest(address: string): void {
    const number = toNumber(address);
    if (this.#lingering.delete(number)) this.#allocator.rest(number, this.#now() + this.#quarantineMs);
  }

  /** How long addresses released from now on rest. */
  setQuarantine(seconds: number): void {
    this.#quarantineMs = seconds * 1000;
    this.#store.restMs = this.#quarantineMs;
  }

  /**
   * Changes the ranges while pods run.
   * @throws RangeInUseError where an allocation would be left without a range; Error where a range is wrong.
   */
  setRanges(cidrs: readonly string[]): void {
    const ranges = parseRanges(cidrs);
    const lost = [...this.all()].filter(({ address }) => {
      const number = toNumber(address);
      return this.#allocator.covers(number) && !ranges.some((range) => contains(range, number));
    });
    if (lost.length > 0) {
      const named = lost
        .slice(0, NAMED_MAX)
        .map((allocation) => `${ownerName(allocation)} (${allocation.address})`);
      const more = lost.length > NAMED_MAX ? ` and ${lost.length - NAMED_MAX} more` : '';
      throw new RangeInUseError(
        `podCIDRs: a range with running pods cannot be removed: ${named.join(', ')}${more}; remove these pods first`,
      );
    }
    this.#allocator = this.#build(ranges, this.#allocator.resting());
    this.#ranges = ranges;
  }

  /** How full each range is; a released address whose link is not gone yet counts as resting. */
  usage(): RangeUsage[] {
    const usage = this.#allocator.usage(this.#now());
    for (const address of this.#lingering) {
      const at = this.#ranges.findIndex((range) => contains(range, address));
      if (at < 0) continue;
      usage[at].used--;
      usage[at].resting++;
    }
    return usage;
  }

  /** Whether the next pod would get an address. */
  hasFree(): boolean {
    return this.#allocator.hasFree(this.#now());
  }

  /** Releases the store. */
  close(): Promise<void> {
    return this.#store.close();
  }

  #build(ranges: readonly Range[], resting: Iterable<[number, number]>): Allocator {
    const allocator = new Allocator(ranges, this.#reserved);
    for (const address of this.#byAddress.keys()) allocator.claim(toNumber(address));
    for (const address of this.#lingering) allocator.claim(address);
    for (const [address, until] of resting) if (allocator.claim(address)) allocator.rest(address, until);
    return allocator;
  }

  #takeNext(): number {
    const address = this.#allocator.take(this.#now());
    if (address !== undefined) return address;
    if (this.#ranges.length === 0) throw new NoAddressError('no podCIDRs are configured on this node');
    const usage = this.usage().map(
      ({ cidr, size, used, resting }) => `${cidr}: ${used} of ${size} used, ${resting} resting`,
    );
    throw new NoAddressError(`no free address on this node (${usage.join('; ')})`);
  }

  #takeExactly(text: string): number {
    const address = parseAddress(text);
    if (address === undefined) throw new NoAddressError(`"${text}" is not an IPv4 address`);
    if (!this.#allocator.covers(address))
      throw new NoAddressError(`${text} is in none of this node's ranges`);
    if (!this.#allocator.claim(address, this.#now()))
      throw new NoAddressError(`${text} is taken or still resting`);
    return address;
  }

  #note(allocation: Allocation): void {
    this.#byOwner.set(ownerKey(allocation), allocation);
    this.#byAddress.set(allocation.address, allocation);
  }

  #forget(allocation: Allocation): void {
    this.#byOwner.delete(ownerKey(allocation));
    this.#byAddress.delete(allocation.address);
  }
}

/** Of an address that was formatted or checked by us before. */
function toNumber(address: string): number {
  const number = parseAddress(address);
  if (number === undefined) throw new Error(`"${address}" is not an IPv4 address`);
  return number;
}
