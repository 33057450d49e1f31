/** The Flatroute agent on a node of a lab: configuration from the topology, start and stop, views. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerView, PodView, RouteView, StatusView } from '@flatroute/common/http/api-documents.ts';
import { flatroute } from './command.ts';
import { Daemon } from './daemon.ts';
import { get, view } from './status-client.ts';
import type { AgentMachine } from './topology.ts';

export class LabAgent {
  readonly daemon: Daemon;
  readonly machine: AgentMachine;
  /** Path of agent.yaml. */
  readonly configFile: string;
  /** Unix socket of the status endpoint. */
  readonly socket: string;
  /** Unix socket of the CNI server. */
  readonly cniSocket: string;

  /** `folder` is the node's own and exists. */
  constructor(options: {
    lab: string;
    netns: string;
    folder: string;
    machine: AgentMachine;
    holdTimeSeconds: number;
  }) {
    const { lab, netns, folder, machine } = options;
    this.machine = machine;
    this.configFile = join(folder, 'agent.yaml');
    this.socket = join(folder, 'agent.sock');
    this.cniSocket = join(folder, 'cni.sock');
    const stateDir = join(folder, 'state');
    mkdirSync(stateDir, { mode: 0o700 });
    const places = { stateDir, socket: this.socket, cniSocket: this.cniSocket };
    writeFileSync(this.configFile, agentConfig(machine, options.holdTimeSeconds, places), { mode: 0o600 });
    this.daemon = new Daemon({
      lab,
      title: `the agent of ${machine.name}`,
      command: [flatroute, 'agent', '--config', this.configFile],
      netns,
      logFile: join(folder, 'agent.log'),
    });
  }

  get name(): string {
    return this.machine.name;
  }

  /** Whether the agent can serve pods: /readyz answers 200. */
  async ready(): Promise<boolean> {
    this.daemon.assertRunning();
    if (!existsSync(this.socket)) return false;
    return (await this.get('/readyz')).status === 200;
  }

  async status(): Promise<StatusView> {
    return this.#view('/v1/status');
  }

  async peers(): Promise<PeerView[]> {
    return (await this.#view<{ peers: PeerView[] }>('/v1/peers')).peers;
  }

  /** The peer that the configuration calls `name`. */
  async peer(name: string): Promise<PeerView> {
    const peers = await this.peers();
    const found = peers.find((peer) => peer.name === name);
    if (!found) throw new Error(`${this.name} has no peer ${name}, only ${peers.map((peer) => peer.name)}`);
    return found;
  }

  async pods(): Promise<PodView[]> {
    return (await this.#view<{ pods: PodView[] }>('/v1/pods')).pods;
  }

  /** The route to exactly this prefix, with all its paths. */
  async route(prefix: string): Promise<RouteView | undefined> {
    const query = `/v1/routes?prefix=${encodeURIComponent(prefix)}`;
    return (await this.#view<{ routes: RouteView[] }>(query)).routes.find((route) => route.prefix === prefix);
  }

  /** One GET over the Unix socket. */
  get(path: string): Promise<{ status: number; body: string }> {
    return get(this.socket, path);
  }

  async #view<T>(path: string): Promise<T> {
    this.daemon.assertRunning();
    return view<T>(this.socket, path);
  }
}

/** The text of agent.yaml. JSON strings are YAML strings too. */
function agentConfig(
  machine: AgentMachine,
  holdTimeSeconds: number,
  places: { stateDir: string; socket: string; cniSocket: string },
): string {
  const peers = machine.peers.map(
    ({ name, address, as }) =>
      `  - { name: ${name}, address: ${address}, as: ${as}, holdTime: ${holdTimeSeconds}, connectRetry: 1 }`,
  );
  return `node: ${machine.name}
address: ${machine.address}
as: ${machine.as}
podCIDRs: ${JSON.stringify(machine.podCIDRs)}
peers:
${peers.join('\n')}
stateDir: ${JSON.stringify(places.stateDir)}
socket: ${JSON.stringify(places.socket)}
cni: { socket: ${JSON.stringify(places.cniSocket)} }
http: { listen: off }
${machine.moreConfig ?? ''}`;
}
