/** A Flatroute reflector of a lab: configuration, start and stop, views. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerView, StatusView } from '@flatroute/common/http/api-documents.ts';
import { flatroute } from './command.ts';
import { Daemon } from './daemon.ts';
import { get, view } from './status-client.ts';
import type { ReflectorMachine } from './topology.ts';

/** The configuration of a reflector, wherever it runs. */
export type LabReflectorSettings = Omit<ReflectorMachine, 'role' | 'attachments'>;

/** Where and how a reflector runs. */
export interface ReflectorPlace {
  lab: string;
  /** By default the machine's namespace. */
  netns?: string;
  /** The reflector's own folder, which exists. */
  folder: string;
  holdTimeSeconds: number;
  port?: number;
}

export class LabReflector {
  readonly name: string;
  readonly daemon: Daemon;
  /** Unix socket of the status endpoint. */
  readonly socket: string;
  /** Path of reflector.yaml. */
  readonly configFile: string;
  readonly #place: ReflectorPlace;

  constructor(machine: LabReflectorSettings, place: ReflectorPlace) {
    const { lab, netns, folder } = place;
    this.name = machine.name;
    this.socket = join(folder, 'reflector.sock');
    this.configFile = join(folder, 'reflector.yaml');
    this.#place = place;
    this.configure(machine);
    this.daemon = new Daemon({
      lab,
      title: `the reflector ${machine.name}`,
      command: [flatroute, 'reflector', '--config', this.configFile],
      netns,
      logFile: join(folder, 'reflector.log'),
    });
  }

  /** Writes reflector.yaml, which a running reflector reads on SIGHUP. */
  configure(machine: LabReflectorSettings): void {
    writeFileSync(this.configFile, reflectorConfig(machine, this.#place, this.socket), { mode: 0o600 });
  }

  /** Whether sessions are accepted. */
  async ready(): Promise<boolean> {
    this.daemon.assertRunning();
    if (!existsSync(this.socket)) return false;
    return (await get(this.socket, '/readyz')).status === 200;
  }

  status(): Promise<StatusView> {
    return view(this.socket, '/v1/status');
  }

  async peers(): Promise<PeerView[]> {
    return (await view<{ peers: PeerView[] }>(this.socket, '/v1/peers')).peers;
  }

  /** The value of a metric without labels; rejects when it does not exist. */
  async metric(name: string): Promise<number> {
    const { body } = await get(this.socket, '/metrics');
    const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1];
    if (value === undefined) throw new Error(`${this.name} has no metric ${name}`);
    return Number(value);
  }
}

function reflectorConfig(
  machine: LabReflectorSettings,
  { holdTimeSeconds, port = 179 }: ReflectorPlace,
  socket: string,
): string {
  const { name, address, as, clusterId = address, clientRange, clientKeys, otherClients = [] } = machine;
  const keys = [`range: ${clientRange}`, `as: ${as}`, `holdTime: ${holdTimeSeconds}`];
  if (clientKeys) keys.push(clientKeys);
  const clients = [`{ ${keys.join(', ')} }`, ...otherClients];
  return `node: ${name}
as: ${as}
routerId: ${address}
clusterId: ${clusterId}
listen: ${address}:${port}
clients: [${clients.join(', ')}]
socket: ${JSON.stringify(socket)}
http: { listen: off }
${machine.moreConfig ?? ''}`;
}
