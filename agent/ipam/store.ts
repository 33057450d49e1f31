/** What is remembered of an address, and the interface of whatever remembers it. */

/** Who holds an address: one interface of one container. */
export interface Owner {
  containerId: string;
  /** The interface's name in the pod (CNI_IFNAME). */
  ifname: string;
  /** Name of the network configuration through which it was attached; GC works within it. */
  network: string;
  /** The pod, where the runtime told (K8S_POD_* of CNI_ARGS). */
  pod?: { namespace: string; name: string; uid?: string };
  /** Path of the pod's network namespace (CNI_NETNS). */
  netns: string;
  /** Name of the link on the host. */
  hostInterface: string;
}

/** An address in somebody's hands. */
export interface Allocation extends Owner {
  address: string;
  /** When it was handed out, ISO 8601 in UTC. */
  since: string;
}

/** A released address, and when it was released: milliseconds since the epoch, as it outlives the process. */
export interface Release {
  address: string;
  time: number;
}

/**
 * Remembers allocations beyond the life of the process. What it returns is what was stored when it was opened; a
 * promise of `add` or `remove` fulfils once the change would survive a power cut, and rejects where it may not.
 */
export interface AllocationStore {
  readonly allocations: Iterable<Allocation>;
  readonly releases: Iterable<Release>;
  /** The address that was handed out last, wherever it is now. */
  readonly lastAddress: string | undefined;
  /** Releases older than this are of no interest any more, in milliseconds. */
  restMs: number;
  /** Stores an allocation, or replaces the one of the same container, interface and address. */
  add(allocation: Allocation): Promise<void>;
  remove(allocation: Allocation, time: number): Promise<void>;
  close(): Promise<void>;
}

/** The key under which an interface of a container is known. */
export function ownerKey(owner: { containerId: string; ifname: string }): string {
  // Neither name may contain a slash (CNI spec, "Parameters").
  return `${owner.containerId}/${owner.ifname}`;
}

/** The owner as people know it: namespace/name of the pod, else the container's id. */
export function ownerName(owner: Owner): string {
  return owner.pod ? `${owner.pod.namespace}/${owner.pod.name}` : owner.containerId;
}
