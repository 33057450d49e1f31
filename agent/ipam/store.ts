/** What is stored about the addresses of pods, and the interface of a store. The node's own store is journal.ts. */
import type { IPAddress } from 'bgp-js/ip';

/** Identifies an attachment: one interface of one container. */
export interface AttachmentId {
  /** CNI_CONTAINERID. */
  containerId: string;
  /** The interface's name in the pod (CNI_IFNAME). */
  ifname: string;
}

/** An attachment with all that is stored about it besides its addresses. */
export interface Owner extends AttachmentId {
  /** Name of the network configuration that attached it; GC works within one network. */
  network: string;
  /** The Kubernetes pod, if the runtime names it (K8S_POD_* of CNI_ARGS). */
  pod?: { namespace: string; name: string; uid?: string };
  /** Path of the pod's network namespace (CNI_NETNS). */
  netns: string;
  /** Name of the link on the host. */
  hostInterface: string;
}

/** The addresses of one attachment. */
export interface Allocation extends Owner {
  /** At least one, at most one a family, IPv4 first. Only IPv4 is allocated so far. */
  addresses: readonly IPAddress[];
  /** When they were allocated, ISO 8601 in UTC. */
  since: string;
}

/** A released address. */
export interface Release {
  address: IPAddress;
  /** When it was released: milliseconds since the epoch, because it outlives the process. */
  time: number;
}

/**
 * Keeps allocations across restarts and power cuts. The properties give what was stored when the store was opened.
 * The promises of `add` and `remove` fulfil once the change is durable and reject if it may not be.
 */
export interface AllocationStore {
  /** Oldest first. */
  readonly allocations: Iterable<Allocation>;
  /** Oldest first; an address that was allocated again is not among them. */
  readonly releases: Iterable<Release>;
  /** The addresses allocated last, at most one a family, whether they are still allocated or not. */
  readonly lastAddresses: readonly IPAddress[];
  /** The store may delete releases that are older than this, in milliseconds. */
  quarantineMs: number;
  /**
   * Stores an allocation, or replaces the record of the same attachment and addresses.
   * @throws ConflictError if another attachment holds one of the addresses; nothing is stored then
   */
  add(allocation: Allocation): Promise<void>;
  /** Deletes an allocation and notes when its addresses were released, in milliseconds since the epoch. */
  remove(allocation: Allocation, time: number): Promise<void>;
  /** Waits for pending writes and closes the store. */
  close(): Promise<void>;
}

/** The store holds one of the addresses for another attachment. Another address may succeed, unlike after an I/O error. */
export class ConflictError extends Error {
  override name = 'ConflictError';
  /** The address in conflict. */
  readonly address: IPAddress;

  /** `holder` names the attachment that holds the address, as far as the store knows it. */
  constructor(address: IPAddress, holder: string) {
    super(`${address} is held by ${holder}`);
    this.address = address;
  }
}

/** The key of an attachment in maps and texts: `CONTAINER/INTERFACE`. */
export function ownerKey(owner: AttachmentId): string {
  // Neither name may contain a slash (CNI spec, "Parameters").
  return `${owner.containerId}/${owner.ifname}`;
}

/** The name under which users know the pod: `NAMESPACE/NAME`, else the container's id. */
export function ownerName(owner: Owner): string {
  return owner.pod ? `${owner.pod.namespace}/${owner.pod.name}` : owner.containerId;
}
