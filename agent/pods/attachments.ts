/** The pods of this node: attaching, detaching and checking one, with its address, its link and its state together. */

import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Ipam, NoAddressError } from '../ipam/ipam.ts';
import { type Allocation, type Owner, ownerKey, ownerName } from '../ipam/store.ts';
import { KernelError } from '../kernel/error.ts';
import { ERRNO } from '../kernel/libc.ts';
import { CniError, CODE } from './errors.ts';
import { describe, type Expected, type Fault, inspect } from './inspect.ts';
import { hostLinkName } from './names.ts';
import type { CniRequest } from './request.ts';
import type { Wired } from './result.ts';
import { runSteps, TransactionError } from './transaction.ts';
import { freeName, nodeMtu, unwire, type WiringTools, wiringPlan } from './wiring.ts';

/** The state of a pod whose wiring is as it should be. */
export const UP = 'up';

export interface AttachmentsOptions {
  ipam: Ipam;
  tools: WiringTools;
  /** The node's own address, for the MTU. */
  nodeAddress: string;
  /** MTU of pods' links in bytes; null: that of the interface which holds the node's address. */
  mtu: number | null;
  /** The last step of ADD, once the pod's host route is in the kernel; where it rejects, ADD fails and is undone. */
  announced?: (address: string) => Promise<void>;
}

export class Attachments {
  #options: AttachmentsOptions;
  readonly #states = new Map<string, string>();
  /** Identity of the node's own network namespace; read at home, as this thread visits others. */
  readonly #home = statSync('/proc/thread-self/ns/net', { bigint: true });

  constructor(options: AttachmentsOptions) {
    this.#options = options;
  }

  /** Changes the MTU of pods wired from now on; null: that of the interface which holds the node's address. */
  setMtu(mtu: number | null): void {
    this.#options = { ...this.#options, mtu };
  }

  /** `up`, or what is wrong. */
  state(owner: { containerId: string; ifname: string }): string {
    return this.#states.get(ownerKey(owner)) ?? 'not looked at yet';
  }

  setState(owner: { containerId: string; ifname: string }, faults: readonly Fault[]): void {
    this.#states.set(ownerKey(owner), faults.length === 0 ? UP : describe(faults));
  }

  /** Gives the pod an address and an interface. Throws a CniError, and then all is as before. */
  async attach(request: CniRequest): Promise<{ allocation: Allocation; wired: Wired }> {
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
    this.#states.set(ownerKey(owner), UP);
    return { allocation, wired };
  }

  /** Takes the pod's interface and address away. Repeats succeed, whatever is left of the pod. */
  async detach(owner: { containerId: string; ifname: string }): Promise<Allocation | undefined> {
    const { ipam, tools } = this.#options;
    const allocation = ipam.get(owner);
    if (allocation === undefined) return undefined;
    await unwire(tools, allocation);
    await this.#release(allocation);
    return allocation;
  }

  /** What is wrong with the pod's wiring. Throws a CniError where the container is not known. */
  async check(request: CniRequest, expected: Expected): Promise<Fault[]> {
    const allocation = this.#options.ipam.get(request);
    if (allocation === undefined) {
      throw new CniError(CODE.UNKNOWN_CONTAINER, `no address is allocated to ${ownerKey(request)}`);
    }
    await this.#checkNetns(request);
    const { netlink, turns } = this.#options.tools;
    const { faults } = await turns.run(() =>
      inspect(netlink, { ...allocation, netns: request.netns }, expected),
    );
    this.setState(request, faults);
    return faults;
  }

  /**
   * For an ADD of what is attached already: an error where it works. Where it does not, as after a crash half-way,
   * what there is of it is taken away, so that it can be done again with the same address.
   */
  async #takeDown(before: Allocation): Promise<void> {
    const { netlink, turns } = this.#options.tools;
    const { faults } = await turns.run(() => inspect(netlink, before));
    if (faults.every(({ kind }) => kind === 'changed')) {
      const name = `${before.ifname} of ${ownerName(before)}`;
      throw new CniError(CODE.INTERFACE_EXISTS, `${name} is attached already, with ${before.address}`);
    }
    await unwire(this.#options.tools, before);
  }

  async #allocate(owner: Owner, before: Allocation | undefined): Promise<Allocation> {
    const { ipam, tools } = this.#options;
    try {
      if (before) return await ipam.reassign(before, owner);
      // The last addresses may hang on links that only wait to be deleted.
      if (!ipam.hasFree()) await tools.graveyard.flush();
      return await ipam.allocate(owner);
    } catch (error) {
      const message = (error as Error).message;
      if (error instanceof NoAddressError) throw new CniError(CODE.TRY_AGAIN_LATER, message);
      throw new CniError(CODE.IO_FAILURE, 'the allocation cannot be stored', message);
    }
  }

  async #wire(allocation: Allocation): Promise<Wired> {
    const { tools, nodeAddress, mtu, announced } = this.#options;
    const wired: Partial<Wired> = {};
    try {
      const bytes = mtu ?? (await tools.turns.run(() => nodeMtu(tools.netlink, nodeAddress)));
      const announce = { name: 'announce the address', run: () => announced?.(allocation.address) };
      await runSteps([...wiringPlan(tools, allocation, bytes, wired), announce]);
    } catch (error) {
      throw await this.#afterFailure(allocation, error as Error);
    }
    return wired as Wired;
  }

  /** Releases the address of a pod that could not be wired, and puts the error into CNI's terms. */
  async #afterFailure(allocation: Allocation, error: Error): Promise<CniError> {
    const leftovers = error instanceof TransactionError ? [...error.leftovers] : [];
    try {
      // With something left of the link its address is not released: the DEL that follows tries again.
      if (leftovers.length === 0) await this.#release(allocation);
    } catch (problem) {
      leftovers.push((problem as Error).message);
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
    tools.graveyard.afterwards(allocation.hostInterface, () => ipam.rest(allocation.address));
  }

  async #checkNetns({ netns }: CniRequest): Promise<void> {
    const found = await stat(netns, { bigint: true }).catch((error: Error) => error);
    let problem: string | undefined;
    if (found instanceof Error) problem = found.message;
    // All namespaces are files of one file system, nsfs (namespaces(7)).
    else if (found.dev !== this.#home.dev) problem = 'this is not a namespace';
    // Its interface and default route would become the node's.
    else if (found.ino === this.#home.ino) problem = "this is the node's own network namespace";
    if (problem) throw new CniError(CODE.INVALID_ENVIRONMENT, `CNI_NETNS ${netns} is not usable`, problem);
  }
}
