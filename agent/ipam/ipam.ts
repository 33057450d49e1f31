/**
 * IP address management: which attachment holds which address, and which addresses are free. Every change is stored
 * before its promise fulfils, so that an address that a pod uses is never given to another one, not even after a power
 * cut. The life of an address: free → allocated (`allocate`) → released, but possibly still on a link (`release`) →
 * in quarantine (`startQuarantine`, once the link is deleted) → free after the quarantine.
 */
import type { IPAddress, IPPrefix } from 'bgp-js/ip';
import { Allocator, type RangeUsage } from './allocator.ts';
import {
  type Allocation,
  type AllocationStore,
  type AttachmentId,
  ConflictError,
  type Owner,
  ownerKey,
  ownerName,
} from './store.ts';

/** No address is available now; the message says why. A later attempt may succeed. */
export class NoAddressError extends Error {
  override name = 'NoAddressError';
}

/** The new ranges lack the address of a running pod. */
export class RangeInUseError extends Error {
  override name = 'RangeInUseError';
}

/** Free and existing addresses of all ranges together. */
export interface Capacity {
  free: number;
  size: number;
}

/** What `Ipam` needs to start. */
export interface IpamOptions {
  /** Disjoint IPv4 ranges. */
  ranges: readonly IPPrefix[];
  /** Addresses that no pod may get: the node's own. */
  reserved: readonly IPAddress[];
  /** How long a released address rests before it is allocated again, in seconds. */
  quarantineSeconds: number;
  store: AllocationStore;
  /**
   * Called once when the ranges are nearly full (`isNearlyFull`), at the start or by an allocation, and again only after
   * a fifth of the addresses were free in between. A store with blocks to share can fetch another one here.
   */
  onNearlyFull?: (capacity: Capacity) => void;
  /** Milliseconds of a monotonic clock, for tests; by default performance.now(). */
  now?: () => number;
}

/** A range is nearly full when this share of its addresses is taken. */
const NEARLY_FULL = 0.9;
/** `onNearlyFull` is called again after the taken share was below this. */
const NO_LONGER_FULL = 0.8;
/** How many pods an error names before it says "and N more". */
const NAMED_MAX = 5;

/** Whether at least nine tenths of the addresses are taken. */
export function isNearlyFull({ used, size }: { used: number; size: number }): boolean {
  return size > 0 && used >= size * NEARLY_FULL;
}

/** The addresses of one node. */
export class Ipam {
  readonly #store: AllocationStore;
  readonly #now: () => number;
  readonly #reserved: readonly IPAddress[];
  readonly #onNearlyFull: (capacity: Capacity) => void;
  readonly #byOwner = new Map<string, Allocation>();
  readonly #byAddress = new Map<number | string, Allocation>();
  /** Released addresses whose link may still exist, by key: taken until `startQuarantine`. */
  readonly #released = new Map<number | string, IPAddress>();
  #ranges: readonly IPPrefix[];
  #allocator: Allocator;
  #quarantineMs = 0;
  #nearlyFull = false;

  /** Loads what the store holds. Throws an Error if the ranges are not usable (see `checkRanges`). */
  constructor(options: IpamOptions) {
    this.#store = options.store;
    this.#now = options.now ?? (() => performance.now());
    this.#reserved = options.reserved;
    this.#onNearlyFull = options.onNearlyFull ?? (() => {});
    this.setQuarantine(options.quarantineSeconds);
    this.#ranges = options.ranges;
    for (const allocation of this.#store.allocations) this.#index(allocation);
    const wallClock = Date.now();
    const rests = Array.from(this.#store.releases, ({ address, time }): [IPAddress, number] => {
      // If the wall clock was set back, the release lies in the future: the rest starts now, it does not last for ever.
      const rested = Math.max(0, wallClock - time);
      return [address, this.#now() + this.#quarantineMs - rested];
    });
    this.#allocator = this.#build(this.#ranges, rests);
    for (const address of this.#store.lastAddresses) this.#allocator.continueAfter(address);
    this.#checkCapacity();
  }

  /** Every allocation, oldest first. */
  all(): Iterable<Allocation> {
    return this.#byOwner.values();
  }

  /** The allocation of an attachment. */
  get(owner: AttachmentId): Allocation | undefined {
    return this.#byOwner.get(ownerKey(owner));
  }

  /** The allocation that holds an address. */
  find(address: IPAddress): Allocation | undefined {
    return this.#byAddress.get(address.key);
  }

  /** Allocations with an address outside of the ranges, as after a change of configuration while the agent was down. */
  outsideRanges(): Allocation[] {
    return [...this.all()].filter(
      (allocation) => !allocation.addresses.every((it) => this.#allocator.covers(it)),
    );
  }

  /**
   * Allocates an address and stores it. If the store holds the address for another owner, the next one is tried.
   * @param address allocates this address instead of the next free one.
   * @throws NoAddressError; the store's error if the allocation cannot be stored, and then nothing is allocated.
   */
  async allocate(owner: Owner, address?: IPAddress): Promise<Allocation> {
    if (this.get(owner)) throw new Error(`${ownerKey(owner)} holds an address already`);
    const conflicts: IPAddress[] = [];
    try {
      for (;;) {
        const taken = address === undefined ? this.#takeNext(conflicts) : this.#takeExactly(address);
        const allocation: Allocation = { ...owner, addresses: [taken], since: new Date().toISOString() };
        const conflict = await this.#add(allocation);
        if (conflict === undefined) {
          this.#checkCapacity();
          return allocation;
        }
        conflicts.push(taken);
        if (address !== undefined) throw new NoAddressError(conflict.message);
      }
    } finally {
      // Taken until here, so that no conflicting address is tried twice.
      for (const conflict of conflicts) this.startQuarantine(conflict);
    }
  }

  /** Stores that an attachment has moved to another network namespace or network. Throws the store's error. */
  async reassign(allocation: Allocation, owner: Owner): Promise<Allocation> {
    const { addresses, since } = allocation;
    const changed: Allocation = { ...owner, addresses, since };
    if (ownerKey(changed) !== ownerKey(allocation)) throw new Error('an address cannot change its container');
    await this.#store.add(changed);
    this.#index(changed);
    return changed;
  }

  /**
   * Stores the release of an attachment's addresses. They stay taken until `startQuarantine`, after their
   * link is deleted.
   * Throws the store's error, and then nothing is released.
   */
  async release(allocation: Allocation): Promise<void> {
    await this.#store.remove(allocation, Date.now());
    this.#unindex(allocation);
    for (const address of allocation.addresses) this.#released.set(address.key, address);
  }

  /** Starts the quarantine of a released address. */
  startQuarantine(address: IPAddress): void {
    if (this.#released.delete(address.key))
      this.#allocator.quarantine(address, this.#now() + this.#quarantineMs);
  }

  /** Changes how long addresses rest that are released from now on. */
  setQuarantine(seconds: number): void {
    this.#quarantineMs = seconds * 1000;
    this.#store.quarantineMs = this.#quarantineMs;
  }

  /**
   * Replaces the ranges.
   * @throws RangeInUseError if a pod would lose its range; Error if the ranges are not usable (see `checkRanges`).
   */
  setRanges(ranges: readonly IPPrefix[]): void {
    const covered = (address: IPAddress) => ranges.some((range) => range.contains(address));
    const lost = [...this.all()].filter(({ addresses }) =>
      addresses.some((address) => this.#allocator.covers(address) && !covered(address)),
    );
    if (lost.length > 0) {
      const named = lost.slice(0, NAMED_MAX).map((it) => `${ownerName(it)} (${it.addresses.join(', ')})`);
      const more = lost.length > NAMED_MAX ? ` and ${lost.length - NAMED_MAX} more` : '';
      throw new RangeInUseError(
        `podCIDRs: a range with running pods cannot be removed: ${named.join(', ')}${more}; remove these pods first`,
      );
    }
    this.#allocator = this.#build(ranges, this.#allocator.resting());
    this.#ranges = ranges;
    this.#checkCapacity();
  }

  /** How full each range is; a released address whose link still exists counts as resting. */
  usage(): RangeUsage[] {
    const usage = this.#allocator.usage(this.#now());
    for (const address of this.#released.values()) {
      const entry = usage.find(({ range }) => range.contains(address));
      if (entry === undefined) continue;
      entry.used--;
      entry.resting++;
    }
    return usage;
  }

  /** Whether the next pod would get an address. */
  hasFree(): boolean {
    return this.#allocator.capacity(this.#now()).free > 0;
  }

  /** Closes the store. */
  close(): Promise<void> {
    return this.#store.close();
  }

  #build(ranges: readonly IPPrefix[], resting: Iterable<[IPAddress, number]>): Allocator {
    const allocator = new Allocator(ranges, this.#reserved);
    for (const { addresses } of this.all()) for (const address of addresses) allocator.claim(address);
    for (const address of this.#released.values()) allocator.claim(address);
    for (const [address, until] of resting)
      if (allocator.claim(address)) allocator.quarantine(address, until);
    return allocator;
  }

  /** Stores an allocation. Returns the store's conflict; throws its other errors. Nothing is allocated in either case. */
  async #add(allocation: Allocation): Promise<ConflictError | undefined> {
    this.#index(allocation);
    try {
      await this.#store.add(allocation);
      return undefined;
    } catch (error) {
      this.#unindex(allocation);
      for (const address of allocation.addresses) this.#released.set(address.key, address);
      if (error instanceof ConflictError) return error;
      // The record may have reached the disk all the same, so the addresses rest like released ones.
      for (const address of allocation.addresses) this.startQuarantine(address);
      throw error;
    }
  }

  #takeNext(conflicts: readonly IPAddress[]): IPAddress {
    const address = this.#allocator.take(this.#now());
    if (address !== undefined) return address;
    if (this.#ranges.length === 0) throw new NoAddressError('no podCIDRs are configured on this node');
    const usage = this.usage().map(
      ({ range, size, used, resting }) => `${range}: ${used} of ${size} used, ${resting} resting`,
    );
    const held = conflicts.length === 0 ? '' : `; ${conflicts.length} held by others in the store`;
    throw new NoAddressError(`no free address on this node (${usage.join('; ')}${held})`);
  }

  #takeExactly(address: IPAddress): IPAddress {
    if (!this.#allocator.covers(address))
      throw new NoAddressError(`${address} is in none of this node's ranges`);
    if (!this.#allocator.claim(address, this.#now()))
      throw new NoAddressError(`${address} is taken or still resting`);
    return address;
  }

  #checkCapacity(): void {
    const capacity = this.#allocator.capacity(this.#now());
    const { free, size } = capacity;
    const used = size - free;
    if (used < size * NO_LONGER_FULL) this.#nearlyFull = false;
    if (this.#nearlyFull || !isNearlyFull({ used, size })) return;
    this.#nearlyFull = true;
    this.#onNearlyFull(capacity);
  }

  #index(allocation: Allocation): void {
    this.#byOwner.set(ownerKey(allocation), allocation);
    for (const address of allocation.addresses) this.#byAddress.set(address.key, allocation);
  }

  #unindex(allocation: Allocation): void {
    this.#byOwner.delete(ownerKey(allocation));
    for (const address of allocation.addresses) this.#byAddress.delete(address.key);
  }
}
