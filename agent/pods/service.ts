/** The pods of a node: opens and closes everything in this folder, answers CNI requests, and lists the pods. */
import type { PluginAnswer, PluginRequest } from '@flatroute/cni/protocol.ts';
import type { PodView } from '@flatroute/common/http/api-documents.ts';
import type { IPAddress, IPPrefix } from 'bgp-js/ip';
import type { RangeUsage } from '../ipam/allocator.ts';
import { Ipam } from '../ipam/ipam.ts';
import { type Allocation, type AllocationStore, ownerName } from '../ipam/store.ts';
import { Netlink } from '../kernel/netlink.ts';
import { getReversePathFilter } from '../kernel/sysctl.ts';
import { Attachments } from './attachments.ts';
import { type CommandTools, execute } from './commands.ts';
import { KeyedQueue, SerialQueue } from './concurrency.ts';
import { errorAnswer } from './errors.ts';
import type { OnPodEvent } from './events.ts';
import { Graveyard } from './graveyard.ts';
import { parseRequest, versionForError } from './request.ts';
import { CniServer, type ServerLimits } from './server.ts';
import type { HostRoutes, WiringTools } from './wiring.ts';

/** What `PodService.open` needs. */
export interface PodServiceOptions {
  /** Keeps the allocations. The service closes it, also if `open` fails. */
  store: AllocationStore;
  /** Unix socket of the CNI server, mode 0600. */
  cniSocket: string;
  /** Disjoint IPv4 ranges from which pods get their addresses. */
  podCIDRs: readonly IPPrefix[];
  /** The node's own address: no pod gets it, and its interface sets the default MTU. */
  nodeAddress: IPAddress;
  /** MTU of pods' links in bytes; null: that of the interface that holds the node's address. */
  mtu: number | null;
  quarantineSeconds: number;
  /** Installs host routes. It must not prune routes before `open` has fulfilled. */
  routes: HostRoutes;
  /** Receives what happens to pods; see `describePodEvent` for log lines. */
  onEvent: OnPodEvent;
  /** Receives details for debugging: every CNI command and its duration. */
  debug: (text: string, fields: object) => void;
  /** Limits of the CNI server; the defaults suit a node. */
  limits?: ServerLimits;
}

/** The pod service of one node. */
export class PodService {
  readonly #options: PodServiceOptions;
  readonly #ipam: Ipam;
  readonly #netlink: Netlink;
  readonly #graveyard: Graveyard;
  readonly #containers = new KeyedQueue();
  readonly #commands: CommandTools;
  readonly #attachments: Attachments;
  readonly #server: CniServer;

  private constructor(options: PodServiceOptions, ipam: Ipam) {
    const { routes, nodeAddress, mtu, onEvent } = options;
    this.#options = options;
    this.#ipam = ipam;
    this.#netlink = new Netlink();
    const kernelQueue = new SerialQueue();
    this.#graveyard = new Graveyard(this.#netlink, kernelQueue, (error) =>
      onEvent({ kind: 'deletion-delayed', error }),
    );
    const tools: WiringTools = { netlink: this.#netlink, routes, kernelQueue, graveyard: this.#graveyard };
    this.#attachments = new Attachments({ ipam, tools, nodeAddress, mtu, onEvent });
    this.#commands = { ipam, attachments: this.#attachments, containers: this.#containers, onEvent };
    this.#server = new CniServer(options.cniSocket, (request) => this.#answer(request), options.limits);
  }

  /**
   * Takes over the pods in the store. Afterwards `routes` wants all their host routes.
   * @throws Error if a range is not usable (see `checkRanges`) or the kernel refuses
   */
  static async open(options: PodServiceOptions): Promise<PodService> {
    const { store, podCIDRs, nodeAddress, quarantineSeconds, onEvent } = options;
    let service: PodService | undefined;
    try {
      const ipam = new Ipam({
        ranges: podCIDRs,
        reserved: [nodeAddress],
        quarantineSeconds,
        store,
        onNearlyFull: (capacity) => onEvent({ kind: 'nearly-full', ...capacity }),
      });
      service = new PodService(options, ipam);
      // The kernel takes the larger one of the value for `all` and that of the interface, and 2 is loose (ip-sysctl).
      if (getReversePathFilter('all') === 'loose') onEvent({ kind: 'spoofing-possible' });
      await service.#attachments.recover();
      return service;
    } catch (error) {
      await (service ?? store).close();
      throw error;
    }
  }

  /** Starts the CNI server. Throws an Error if another process serves the socket. */
  async listen(): Promise<void> {
    await this.#server.listen();
    this.#options.onEvent({ kind: 'listening', socket: this.#options.cniSocket, pods: this.list().length });
  }

  /** Stops the CNI server after it has answered the requests in progress. Pods and their routes stay. */
  async close(): Promise<void> {
    await this.#server.close();
    await this.#graveyard.close();
    await this.#ipam.close();
    this.#netlink.close();
  }

  /** Every pod with an address, oldest first, also those whose wiring has faults. */
  list(): PodView[] {
    return Array.from(this.#ipam.all(), (allocation) => this.#view(allocation));
  }

  /** The pod with this address. */
  find(address: IPAddress): PodView | undefined {
    const allocation = this.#ipam.find(address);
    return allocation && this.#view(allocation);
  }

  /** How full each range is. */
  ranges(): RangeUsage[] {
    return this.#ipam.usage();
  }

  /**
   * Replaces the ranges.
   * @throws RangeInUseError, which names the pods, if one would lose its range; Error if a range is not usable.
   */
  setRanges(podCIDRs: readonly IPPrefix[]): void {
    this.#ipam.setRanges(podCIDRs);
  }

  /** Changes the MTU of pods wired from now on; null: that of the interface that holds the node's address. */
  setMtu(mtu: number | null): void {
    this.#attachments.setMtu(mtu);
  }

  /** Changes how long addresses rest that are released from now on. */
  setQuarantine(seconds: number): void {
    this.#ipam.setQuarantine(seconds);
  }

  /** Inspects the wiring of every pod, so that `list` shows its present state. */
  async refresh(): Promise<void> {
    for (const allocation of [...this.#ipam.all()]) {
      await this.#containers.run(allocation.containerId, async () => {
        if (this.#ipam.get(allocation) === allocation) await this.#attachments.refresh(allocation);
      });
    }
  }

  #view(allocation: Allocation): PodView {
    const { containerId, ifname, hostInterface, netns, since } = allocation;
    const addresses = allocation.addresses.map(String);
    const state = this.#attachments.state(allocation);
    const [address] = addresses;
    const name = ownerName(allocation);
    return { name, containerId, ifname, address, addresses, hostInterface, netns, since, state };
  }

  /** Answers any request. Never rejects. */
  async #answer(plugin: PluginRequest): Promise<PluginAnswer> {
    const start = performance.now();
    const { debug, onEvent } = this.#options;
    const command = plugin.environment.get('CNI_COMMAND') ?? '';
    const containerId = plugin.environment.get('CNI_CONTAINERID') ?? '';
    try {
      const result = await execute(this.#commands, parseRequest(plugin));
      debug(`CNI ${command}`, { containerId, ms: Math.round(performance.now() - start) });
      return { exitCode: 0, stdout: result === undefined ? '' : `${JSON.stringify(result)}\n` };
    } catch (error) {
      const { details = '' } = error as { details?: string };
      onEvent({ kind: 'command-failed', command, containerId, error: error as Error, details });
      return errorAnswer(error, versionForError(plugin));
    }
  }
}
