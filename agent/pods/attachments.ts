/** The attachments of this node's pods: attach, detach, check and recover one, with its address, link and state. */
import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IPAddress } from 'bgp-js/ip';
import { type Ipam, NoAddressError } from '../ipam/ipam.ts';
import {
  type Allocation,
  type AttachmentId,
  ConflictError,
  type Owner,
  ownerKey,
  ownerName,
} from '../ipam/store.ts';
import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import { listLinks } from '../kernel/link.ts';
import { CniError, CODE } from './errors.ts';
import { attachmentOf, type OnPodEvent } from './events.ts';
import { GRAVEYARD_GROUP } from './graveyard.ts';
import { describeFaults, type Expected, type Fault, inspect } from './inspect.ts';
import { HOST_LINK_NAME, HOST_LINK_PREFIX, hostLinkName } from './names.ts';
import type { CniRequest } from './request.ts';
import {
  freeName,
  nodeMtu,
  restoreHostSide,
  TransactionError,
  unwire,
  type WiredLink,
  type WiringTools,
  wire,
} from './wiring.ts';

/** The state of a pod without faults, as `/v1/pods` shows it. */
const HEALTHY = 'up';

/** Options of `Attachments`. */
export interface AttachmentsOptions {
  ipam: Ipam;
  tools: WiringTools;
  /** The node's own address, for the default MTU. */
  nodeAddress: IPAddress;
  /** MTU of pods' links in bytes; null: that of the interface that holds the node's address. */
  mtu: number | null;
  onEvent: OnPodEvent;
}

/** All attachments. The caller serialises the calls for one container. */
export class Attachments {
  #options: AttachmentsOptions;
  readonly #states = new Map<string, string>();
  /** The node's own network namespace, read before this thread first enters another one. */
  readonly #hostNetns = statSync('/proc/thread-self/ns/net', { bigint: true });

  constructor(options: AttachmentsOptions) {
    this.#options = options;
  }

  /** Changes the MTU of pods wired from now on; null: that of the interface that holds the node's address. */
  setMtu(mtu: number | null): void {
    this.#options = { ...this.#options, mtu };
  }

  /** The state at the last inspection: `up`, or a description of the faults. */
  state(owner: AttachmentId): string {
    return this.#states.get(ownerKey(owner)) ?? 'not inspected yet';
  }

  /** Gives the pod an address and an interface. Throws a CniError if that fails, after undoing all changes. */
  async attach(request: CniRequest): Promise<{ allocation: Allocation; wired: WiredLink }> {
    await this.#checkNetns(request);
    const { containerId, ifname, network, netns, pod } = request;
    const owner: Owner = {
      containerId,
      ifname,
      network,
      netns,
      hostInterface: hostLinkName(request),
      ...(pod && { pod }),
    };
    const before = this.#options.ipam.get(owner);
    if (before !== undefined) await this.#takeDown(before);
    await freeName(this.#options.tools, owner.hostInterface);
    const allocation = await this.#allocate(owner, before);
    this.#states.set(ownerKey(owner), 'being wired');
    const wired = await this.#wire(allocation);
    this.#states.set(ownerKey(owner), HEALTHY);
    this.#options.onEvent({ kind: 'attached', ...attachmentOf(allocation) });
    return { allocation, wired };
  }

  /** Removes the pod's interface and releases its addresses. Succeeds if there is nothing left to remove. */
  async detach(owner: AttachmentId): Promise<void> {
    const { ipam, tools, onEvent } = this.#options;
    const allocation = ipam.get(owner);
    if (allocation === undefined) return;
    await unwire(tools, allocation);
    await this.#release(allocation);
    onEvent({ kind: 'detached', ...attachmentOf(allocation) });
  }

  /** The faults of the pod's wiring. Throws a CniError if the container is unknown or its namespace unusable. */
  async check(request: CniRequest, expected: Expected): Promise<Fault[]> {
    const allocation = this.#options.ipam.get(request);
    if (allocation === undefined) {
      throw new CniError(CODE.UNKNOWN_CONTAINER, `no address is allocated to ${ownerKey(request)}`);
    }
    await this.#checkNetns(request);
    return this.refresh({ ...allocation, netns: request.netns }, expected);
  }

  /** Inspects a pod's wiring and updates its state. */
  async refresh(allocation: Allocation, expected?: Expected): Promise<Fault[]> {
    const { netlink, kernelQueue } = this.#options.tools;
    const { faults } = await kernelQueue.run(() => inspect(netlink, allocation, expected));
    this.#setState(allocation, faults);
    return faults;
  }

  /**
   * Recovers the pods of an earlier run. Working parts are not changed, so traffic is not disturbed. Host routes are
   * set again before stale routes are pruned. Missing parts of the host's side are restored, and links without an
   * allocation are removed. A pod whose link is gone keeps its address until DEL.
   */
  async recover(): Promise<void> {
    const { ipam, tools, onEvent } = this.#options;
    const allocations = [...ipam.all()];
    const links = await this.#buryOrphans(new Set(allocations.map(({ hostInterface }) => hostInterface)));
    for (const allocation of allocations) {
      const faults = await tools.kernelQueue.run(() => this.#restore(allocation));
      this.#setState(allocation, faults);
      if (faults.length === 0) continue;
      const pod = { name: ownerName(allocation) };
      onEvent({ kind: 'faulty', pod, found: 'after restart', faults: describeFaults(faults) });
    }
    if (links.length > 0) onEvent({ kind: 'orphans-removed', links });
    for (const allocation of ipam.outsideRanges())
      onEvent({ kind: 'outside-ranges', ...attachmentOf(allocation) });
  }

  /** Buries our links that are not in `owned` and returns their names. */
  async #buryOrphans(owned: ReadonlySet<string>): Promise<string[]> {
    const { netlink, kernelQueue, graveyard } = this.#options.tools;
    const orphans: string[] = [];
    const links = await kernelQueue.run(() => listLinks(netlink, HOST_LINK_PREFIX));
    for (const link of links) {
      if (link.kind !== 'veth' || !HOST_LINK_NAME.test(link.name)) continue;
      if (link.group === GRAVEYARD_GROUP) graveyard.note(link.name);
      else if (!owned.has(link.name)) {
        await kernelQueue.run(() => graveyard.bury(link));
        orphans.push(link.name);
      }
    }
    return orphans;
  }

  /** Restores the host's side of a pod and returns the faults that remain. To be called in the kernel queue. */
  #restore(allocation: Allocation): Fault[] {
    const { tools } = this.#options;
    const { host, pod, faults } = inspect(tools.netlink, allocation);
    if (host === null) return faults;
    if (faults.length === 0) {
      restoreHostSide(tools, allocation, host);
      return faults;
    }
    restoreHostSide(tools, allocation, host, pod?.link.mac);
    // The host route was set again; the first write of routes installs it.
    return inspect(tools.netlink, allocation).faults.filter(({ kind }) => kind !== 'route');
  }

  #setState(owner: AttachmentId, faults: readonly Fault[]): void {
    this.#states.set(ownerKey(owner), faults.length === 0 ? HEALTHY : describeFaults(faults));
  }

  /**
   * Prepares a repeated ADD. Throws a CniError if the attachment works. Otherwise, as after a crash, takes down its
   * remains, so that ADD can wire the pod again with the same address.
   */
  async #takeDown(before: Allocation): Promise<void> {
    const { netlink, kernelQueue } = this.#options.tools;
    const { faults } = await kernelQueue.run(() => inspect(netlink, before));
    if (faults.every(({ kind }) => kind === 'changed')) {
      const name = `${before.ifname} of ${ownerName(before)}`;
      throw new CniError(
        CODE.INTERFACE_EXISTS,
        `${name} is attached already, with ${before.addresses.join(', ')}`,
      );
    }
    await unwire(this.#options.tools, before);
  }

  async #allocate(owner: Owner, before: Allocation | undefined): Promise<Allocation> {
    const { ipam, tools } = this.#options;
    try {
      if (before) return await ipam.reassign(before, owner);
      // The last addresses may belong to links that wait to be deleted.
      if (!ipam.hasFree()) await tools.graveyard.flush();
      return await ipam.allocate(owner);
    } catch (error) {
      const message = (error as Error).message;
      if (error instanceof NoAddressError || error instanceof ConflictError)
        throw new CniError(CODE.TRY_AGAIN_LATER, message);
      throw new CniError(CODE.IO_FAILURE, 'the allocation cannot be stored', message);
    }
  }

  async #wire(allocation: Allocation): Promise<WiredLink> {
    const { tools, nodeAddress, mtu } = this.#options;
    try {
      const bytes = mtu ?? (await tools.kernelQueue.run(() => nodeMtu(tools.netlink, nodeAddress)));
      return await wire(tools, allocation, bytes);
    } catch (error) {
      throw await this.#afterFailure(allocation, error as Error);
    }
  }

  /** Releases the addresses of a pod that could not be wired, and returns the error for the runtime. */
  async #afterFailure(allocation: Allocation, error: Error): Promise<CniError> {
    const leftovers = error instanceof TransactionError ? [...error.leftovers] : [];
    try {
      // If parts of the link are left, its addresses stay allocated until the runtime's DEL removes them.
      if (leftovers.length === 0) await this.#release(allocation);
    } catch (problem) {
      const { message, details } = problem as CniError;
      leftovers.push(`${message}: ${details}`);
    }
    if (leftovers.length > 0) this.#states.set(ownerKey(allocation), leftovers.join('; '));
    const cause = error instanceof TransactionError ? error.cause : error;
    const exists =
      cause instanceof KernelError && cause.errno === ERRNO.EEXIST && cause.action.startsWith('create');
    const message = exists ? `${allocation.ifname} exists already in ${allocation.netns}` : error.message;
    return new CniError(exists ? CODE.INTERFACE_EXISTS : CODE.WIRING_FAILED, message, leftovers.join('; '));
  }

  async #release(allocation: Allocation): Promise<void> {
    const { ipam, tools } = this.#options;
    try {
      await ipam.release(allocation);
    } catch (error) {
      throw new CniError(CODE.IO_FAILURE, 'the release cannot be stored', (error as Error).message);
    }
    this.#states.delete(ownerKey(allocation));
    tools.graveyard.afterwards(allocation.hostInterface, () => {
      for (const address of allocation.addresses) ipam.startQuarantine(address);
    });
  }

  async #checkNetns({ netns }: CniRequest): Promise<void> {
    const found = await stat(netns, { bigint: true }).catch((error: Error) => error);
    let problem: string | undefined;
    if (found instanceof Error) problem = found.message;
    // All namespaces are files of one file system, nsfs (namespaces(7)).
    else if (found.dev !== this.#hostNetns.dev) problem = 'this is not a namespace';
    // In this namespace, the pod's interface and default route would become the node's.
    else if (found.ino === this.#hostNetns.ino) problem = "this is the node's own network namespace";
    if (problem) throw new CniError(CODE.INVALID_ENVIRONMENT, `CNI_NETNS ${netns} is not usable`, problem);
  }
}
