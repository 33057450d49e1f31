/** The pods of a node, as one piece: open, listen, look, close. */
import type { PluginAnswer, PluginRequest } from '@flatroute/cni/protocol.ts';
import type { PodView } from '@flatroute/common/http/api-documents.ts';
import type { RangeUsage } from '../ipam/allocator.ts';
import { Ipam } from '../ipam/ipam.ts';
import { Journal } from '../ipam/journal.ts';
import { type Allocation, ownerName } from '../ipam/store.ts';
import { Netlink } from '../kernel/netlink.ts';
import { getReversePathFilter } from '../kernel/sysctl.ts';
import { Attachments } from './attachments.ts';
import { type CommandTools, execute, type OnPodEvent } from './commands.ts';
import { KeyedQueue, SerialQueue } from './concurrency.ts';
import { errorAnswer } from './errors.ts';
import { Graveyard } from './graveyard.ts';
import { describe, inspect } from './inspect.ts';
import { recover } from './recover.ts';
import { parseRequest, versionForError } from './request.ts';
import { CniServer, type ServerLimits } from './server.ts';
import type { HostRoutes, WiringTools } from './wiring.ts';

/** Where the service writes its log. */
export interface PodLogger {
  debug(text: string, fields?: object): void;
  info(text: string, fields?: object): void;
  warn(text: string, fields?: object): void;
  error(text: string, fields?: object): void;
}

export interface PodServiceOptions {
  /** Folder of the journal of addresses. */
  stateDir: string;
  /** Unix socket on which plugins call, mode 0600. */
  cniSocket: string;
  podCIDRs: readonly string[];
  /** The node's own IPv4 address: never a pod's, and the source of the default MTU. */
  nodeAddress: string;
  /** MTU of pods' links in bytes; null: that of the interface which holds the node's address. */
  mtu: number | null;
  quarantineSeconds: number;
  /** Installs host routes; it must not prune before `open` has fulfilled. */
  routes: HostRoutes;
  logger: PodLogger;
  /** Told of what a person may want to see in the status. */
  onEvent?: OnPodEvent;
  /** The last step of every ADD, once the pod's host route is in the kernel; where it rejects, ADD fails. */
  announced?: (address: string) => Promise<void>;
  /** Limits of the socket; the defaults serve a node. */
  limits?: ServerLimits;
}

export class PodService {
  readonly #options: PodServiceOptions;
  readonly #ipam: Ipam;
  readonly #netlink: Netlink;
  readonly #tools: WiringTools;
  readonly #commands: CommandTools;
  readonly #attachments: Attachments;
  readonly #server: CniServer;

  private constructor(options: PodServiceOptions, ipam: Ipam) {
    this.#options = options;
    this.#ipam = ipam;
    this.#netlink = new Netlink();
    const turns = new SerialQueue();
    const graveyard = new Graveyard(this.#netlink, turns, (text) => this.#event('warn', 'pods', text));
    this.#tools = { netlink: this.#netlink, routes: options.routes, turns, graveyard };
    const { nodeAddress, mtu, announced } = options;
    this.#attachments = new Attachments({ ipam, tools: this.#tools, nodeAddress, mtu, announced });
    const onEvent: OnPodEvent = (level, subject, text) => this.#event(level, subject, text);
    this.#commands = { ipam, attachments: this.#attachments, containers: new KeyedQueue(), onEvent };
    this.#server = new CniServer(options.cniSocket, (request) => this.#answer(request), options.limits);
  }

  /**
   * Opens the journal and takes up the pods of a former run: afterwards `routes` wants all their host routes.
   * @throws JournalDamaged, or an Error where another agent holds the stateDir or a range is wrong.
   */
  static async open(options: PodServiceOptions): Promise<PodService> {
    const { stateDir, podCIDRs, nodeAddress, quarantineSeconds, logger, onEvent } = options;
    const warn = (text: string): void => {
      logger.warn(text);
      onEvent?.('warn', 'ipam', text);
    };
    const store = await Journal.open({ folder: stateDir, warn });
    let service: PodService | undefined;
    try {
      const ipam = new Ipam({ cidrs: podCIDRs, reserved: [nodeAddress], quarantineSeconds, store });
      service = new PodService(options, ipam);
      await service.#recover();
      return service;
    } catch (error) {
      await service?.close();
      await store.close();
      throw error;
    }
  }

  /** Starts to serve plugins. Throws where another process serves the socket. */
  async listen(): Promise<void> {
    await this.#server.listen();
    this.#options.logger.info(`serving CNI on ${this.#options.cniSocket}`, { pods: this.list().length });
  }

  /** Stops to serve, once the requests in flight are answered. Pods and their routes stay. */
  async close(): Promise<void> {
    await this.#server.close();
    await this.#tools.graveyard.close();
    await this.#ipam.close();
    this.#netlink.close();
  }

  /** Every pod with an address, oldest first; also those whose wiring is not right, with what is wrong. */
  list(): PodView[] {
    return Array.from(this.#ipam.all(), (allocation) => this.#view(allocation));
  }

  /** The pod that holds the address, and its record in the journal. */
  find(address: string): { view: PodView; allocation: Allocation } | undefined {
    const allocation = this.#ipam.find(address);
    return allocation && { view: this.#view(allocation), allocation };
  }

  /** How full each range is, as StatusView shows it. */
  ranges(): RangeUsage[] {
    return this.#ipam.usage();
  }

  /** Whether the next pod would get an address. */
  hasFreeAddress(): boolean {
    return this.#ipam.hasFree();
  }

  /**
   * Changes the ranges while pods run.
   * @throws RangeInUseError with the pods named where a range with allocations would go; Error where one is wrong.
   */
  setRanges(podCIDRs: readonly string[]): void {
    this.#ipam.setRanges(podCIDRs);
  }

  /** Changes the MTU of pods wired from now on; null: that of the interface which holds the node's address. */
  setMtu(mtu: number | null): void {
    this.#attachments.setMtu(mtu);
  }

  /** Changes how long addresses released from now on rest. */
  setQuarantine(seconds: number): void {
    this.#ipam.setQuarantine(seconds);
  }

  /** Looks at every pod's wiring anew, so that `list` tells its state of now. */
  async refresh(): Promise<void> {
    for (const allocation of [...this.#ipam.all()]) {
      await this.#commands.containers.run(allocation.containerId, async () => {
        if (this.#ipam.get(allocation) !== allocation) return;
        const { faults } = await this.#tools.turns.run(() => inspect(this.#netlink, allocation));
        this.#attachments.setState(allocation, faults);
      });
    }
  }

  #view(allocation: Allocation): PodView {
    const { containerId, ifname, address, hostInterface, netns, since } = allocation;
    const state = this.#attachments.state(allocation);
    return { name: ownerName(allocation), containerId, ifname, address, hostInterface, netns, since, state };
  }

  #event(level: 'info' | 'warn' | 'error', subject: string, text: string): void {
    this.#options.logger[level](text, { subject });
    this.#options.onEvent?.(level, subject, text);
  }

  async #recover(): Promise<void> {
    if (getReversePathFilter('all') === 'loose') {
      // The kernel takes the larger of the two values, and 2 is loose (ip-sysctl).
      this.#event(
        'warn',
        'kernel',
        "net.ipv4.conf.all.rp_filter is 2: pods can send with others' addresses; set it to 0 or 1",
      );
    }
    const { faults, orphans } = await recover(this.#tools, [...this.#ipam.all()]);
    for (const [allocation, found] of faults) {
      this.#attachments.setState(allocation, found);
      if (found.length > 0) this.#event('warn', ownerName(allocation), `after restart: ${describe(found)}`);
    }
    if (orphans.length > 0) {
      this.#event(
        'warn',
        'pods',
        `removed ${orphans.length} links that belong to no pod: ${orphans.join(', ')}`,
      );
    }
    for (const allocation of this.#ipam.strays()) {
      this.#event(
        'warn',
        ownerName(allocation),
        `keeps ${allocation.address}, which is in no range of podCIDRs any more`,
      );
    }
  }

  /** Answers a request, whatever it is; never rejects. */
  async #answer(plugin: PluginRequest): Promise<PluginAnswer> {
    const start = performance.now();
    const { logger } = this.#options;
    const command = plugin.environment.get('CNI_COMMAND');
    const containerId = plugin.environment.get('CNI_CONTAINERID');
    try {
      const result = await execute(this.#commands, parseRequest(plugin));
      logger.debug(`CNI ${command}`, { containerId, ms: Math.round(performance.now() - start) });
      return { exitCode: 0, stdout: result === undefined ? '' : `${JSON.stringify(result)}\n` };
    } catch (error) {
      const details = (error as { details?: string }).details;
      this.#event(
        'error',
        'cni',
        `${command} of ${containerId}: ${(error as Error).message}${details ? `: ${details}` : ''}`,
      );
      return errorAnswer(error, versionForError(plugin));
    }
  }
}
