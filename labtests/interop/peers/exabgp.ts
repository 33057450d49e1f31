/** ExaBGP: a scripted peer. It reads commands from one file and writes events to another. */

import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from '../../lab/daemon.ts';
import {
  announcementsOf,
  type FamilyName,
  familyOfPrefix,
  ipVersion,
  type LearnedRoute,
  ownNextHop,
  type Router,
  type RouterAnnouncement,
  type RouterPlace,
  type RouterPlan,
  sessionAddress,
} from './router.ts';

interface Update {
  attribute?: {
    'as-path'?: (number | number[])[] | Record<string, { value: number[] }>;
    med?: number;
    community?: number[][];
    'large-community'?: number[][];
  };
  announce?: Record<string, Record<string, Nlri[]>>;
  withdraw?: Record<string, Nlri[]>;
}

interface ExabgpEvent {
  type: string;
  neighbor?: { state?: string; message?: { update?: Update } };
}

export class ExabgpRouter implements Router {
  readonly daemons: readonly Daemon[];
  readonly #place: RouterPlace;
  readonly #plan: RouterPlan;

  constructor(plan: RouterPlan, place: RouterPlace) {
    this.#plan = plan;
    this.#place = place;
    const { lab, netns, folder } = place;
    const config = join(folder, 'exabgp.conf');
    writeFileSync(this.#commands, '');
    // A shell gives a background job no input by default. ExaBGP writes events to its process's input and reads commands
    // from the process's output.
    const script = `#!/bin/sh\nexec 3<&0\ncat <&3 >> '${this.#events}' &\nexec tail -n +1 -s 0.1 -f '${this.#commands}'\n`;
    writeFileSync(this.#script, script, { mode: 0o700 });
    writeFileSync(config, exabgpConfig(plan, this.#script), { mode: 0o600 });
    const settings = {
      'exabgp.daemon.user': 'root',
      'exabgp.api.cli': 'false',
      'exabgp.api.ack': 'false',
      'exabgp.log.all': 'true',
      'exabgp.log.level': 'INFO',
      'exabgp.tcp.bind': sessionAddress(plan, 'local'),
      'exabgp.tcp.port': '179',
    };
    const environment = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    const command = ['env', ...environment, '/usr/sbin/exabgp', config];
    this.daemons = [
      new Daemon({ lab, title: 'ExaBGP', command, netns, logFile: join(folder, 'exabgp.log') }),
    ];
  }

  get #commands(): string {
    return join(this.#place.folder, 'commands');
  }

  get #events(): string {
    return join(this.#place.folder, 'events');
  }

  get #script(): string {
    return join(this.#place.folder, 'process.sh');
  }

  async start(): Promise<void> {
    this.daemons[0].start();
  }

  #command(command: string): void {
    appendFileSync(this.#commands, `${command}\n`);
  }

  #seen(): ExabgpEvent[] {
    if (!existsSync(this.#events)) return [];
    const lines = readFileSync(this.#events, 'utf8').split('\n').slice(0, -1);
    return lines.flatMap((line) => readEvent(line) ?? []);
  }

  async established(): Promise<boolean> {
    const states = this.#seen().filter(({ type }) => type === 'state');
    return states.at(-1)?.neighbor?.state === 'up';
  }

  async routes(family: FamilyName): Promise<LearnedRoute[]> {
    const table = new Map<string, LearnedRoute>();
    for (const event of this.#seen()) {
      if (event.type === 'state') table.clear();
      const update = event.neighbor?.message?.update;
      if (update) applyUpdate(table, update);
    }
    return [...table.values()].filter(({ prefix }) => familyOfPrefix(prefix) === family);
  }

  async announce(route: RouterAnnouncement): Promise<void> {
    this.#command(`announce route ${routeText(route, this.#plan)}`);
  }

  async withdraw(prefix: string): Promise<void> {
    this.#command(`withdraw route ${prefix}`);
  }

  async requestRefresh(): Promise<void> {
    this.#command(`announce route-refresh ${ipVersion(this.#plan.families[0])} unicast`);
  }

  /** ExaBGP's command takes no text; it sends its own. */
  async shutdown(): Promise<string> {
    this.#command(`neighbor ${sessionAddress(this.#plan, 'remote')} teardown 2`);
    return 'Administrative Shutdown';
  }

  async report(): Promise<string> {
    const events = existsSync(this.#events) ? readFileSync(this.#events, 'utf8') : '';
    return `${this.daemons[0].log()}\n${events}`;
  }
}

type Nlri = { nlri: string; 'path-information'?: string } | string;

const nlriOf = (entry: Nlri): string => (typeof entry === 'string' ? entry : entry.nlri);

/** With ADD-PATH (RFC 7911) a prefix may occur more than once. */
const keyOf = (entry: Nlri): string =>
  typeof entry === 'string' ? entry : `${entry.nlri} ${entry['path-information'] ?? ''}`;

function applyUpdate(table: Map<string, LearnedRoute>, update: Update): void {
  for (const entries of Object.values(update.withdraw ?? {})) {
    for (const entry of entries) table.delete(keyOf(entry));
  }
  const attribute = update.attribute ?? {};
  const path = attribute['as-path'] ?? [];
  const asns = Array.isArray(path) ? path.flat() : Object.values(path).flatMap(({ value }) => value);
  const tuples = (list: number[][] = []) => list.map((numbers) => numbers.join(':'));
  for (const byNextHop of Object.values(update.announce ?? {})) {
    for (const [nextHop, entries] of Object.entries(byNextHop)) {
      for (const entry of entries.filter((candidate) => nlriOf(candidate) !== undefined)) {
        table.set(keyOf(entry), {
          prefix: nlriOf(entry),
          nextHop,
          asPath: asns.join(' '),
          med: attribute.med,
          communities: tuples(attribute.community),
          largeCommunities: tuples(attribute['large-community']),
        });
      }
    }
  }
}

function routeText(route: RouterAnnouncement, plan: RouterPlan): string {
  const { prefix, med, communities, largeCommunities, path } = route;
  const words = [
    `${prefix} next-hop ${route.nextHop ?? ownNextHop(plan, prefix)}`,
    ...(path ? [`path-information ${path.id} as-path [ ${plan.as} ${path.asPath} ]`] : []),
    ...(med === undefined ? [] : [`med ${med}`]),
    ...(communities ? [`community [ ${communities.join(' ')} ]`] : []),
    ...(largeCommunities ? [`large-community [ ${largeCommunities.join(' ')} ]`] : []),
  ];
  return words.join(' ');
}

function exabgpConfig(plan: RouterPlan, script: string): string {
  const session = [
    `router-id ${plan.routerId}`,
    `local-address ${sessionAddress(plan, 'local')}`,
    `local-as ${plan.as}`,
    `peer-as ${plan.remoteAs}`,
    `hold-time ${plan.holdTime}`,
    ...(plan.passive ? ['passive true'] : []),
    ...(plan.password ? [`md5-password "${plan.password}"`] : []),
    ...(plan.gtsm ? ['outgoing-ttl 255', 'incoming-ttl 255'] : []),
  ];
  const capability = [
    'route-refresh enable',
    `add-path ${plan.addPath ? 'send/receive' : 'disable'}`,
    ...(plan.restartTime ? [`graceful-restart ${plan.restartTime}`] : []),
    ...(plan.extendedNextHop ? ['nexthop enable'] : []),
  ];
  // It accepts IPv6 next hops only where IPv6 is negotiated too.
  const families = plan.extendedNextHop ? ['ipv4', 'ipv6'] : plan.families.map(ipVersion);
  const routes = plan.families
    .flatMap((family) => announcementsOf(plan, family))
    .map((route) => `route ${routeText(route, plan)};`);
  return `process script { run ${script}; encoder json; }
neighbor ${sessionAddress(plan, 'remote')} {
  ${session.join(';\n  ')};
  capability { ${capability.join('; ')}; }
  family { ${families.map((family) => `${family} unicast;`).join(' ')} }
  ${plan.extendedNextHop ? 'nexthop { ipv4 unicast ipv6; }' : ''}
  static { ${routes.join(' ')} }
  api { processes [ script ]; neighbor-changes; receive { parsed; update; notification; refresh; } }
}
`;
}

/** An event; null when ExaBGP 4.2 writes invalid JSON, as for those of an enhanced route refresh. */
function readEvent(line: string): ExabgpEvent | null {
  try {
    return JSON.parse(line) as ExabgpEvent;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
