/** OpenBGPD: configuration, bgpctl, routes. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from '../../lab/daemon.ts';
import { until } from '../../lab/wait.ts';
import {
  announcementsOf,
  type FamilyName,
  familyOfPrefix,
  ipVersion,
  type LearnedRoute,
  type Router,
  type RouterAnnouncement,
  type RouterPlace,
  type RouterPlan,
  sessionAddress,
} from './router.ts';

interface OpenbgpdPath {
  prefix: string;
  aspath: string;
  exit_nexthop: string;
  metric: number;
  communities?: string[];
  large_communities?: string[];
  neighbor: { remote_addr: string };
}

export class OpenbgpdRouter implements Router {
  readonly daemons: readonly Daemon[];
  readonly #place: RouterPlace;
  readonly #plan: RouterPlan;

  constructor(plan: RouterPlan, place: RouterPlace) {
    this.#plan = plan;
    this.#place = place;
    const { lab, netns, folder } = place;
    // Its processes change their root to this folder, which systemd creates where it runs.
    mkdirSync('/run/openbgpd', { recursive: true, mode: 0o755 });
    const config = join(folder, 'bgpd.conf');
    writeFileSync(config, openbgpdConfig(plan, this.#socket), { mode: 0o600 });
    const command = ['/usr/sbin/bgpd', '-d', '-v', '-f', config];
    const logFile = join(folder, 'bgpd.log');
    this.daemons = [new Daemon({ lab, title: 'OpenBGPD', command, netns, logFile })];
  }

  get #socket(): string {
    return join(this.#place.folder, 'bgpd.sock');
  }

  async start(): Promise<void> {
    const [daemon] = this.daemons;
    daemon.start();
    await until('OpenBGPD to answer', () => {
      daemon.assertRunning();
      return this.#bgpctl('show', 'summary');
    });
  }

  #bgpctl(...command: string[]): Promise<string> {
    return this.#place.must(['bgpctl', '-s', this.#socket, ...command]);
  }

  get #us(): string {
    return sessionAddress(this.#plan, 'remote');
  }

  async established(): Promise<boolean> {
    const text = await this.#bgpctl('-j', 'show', 'neighbor', this.#us);
    const view = JSON.parse(text) as { neighbors: { state: string }[] };
    return view.neighbors[0].state === 'Established';
  }

  async routes(family: FamilyName): Promise<LearnedRoute[]> {
    const text = await this.#bgpctl('-j', 'show', 'rib', 'detail', 'in', 'neighbor', this.#us);
    const { rib = [] } = JSON.parse(text) as { rib?: OpenbgpdPath[] };
    return rib
      .filter(({ prefix }) => familyOfPrefix(prefix) === family)
      .map((path) => ({
        prefix: path.prefix,
        nextHop: path.exit_nexthop,
        asPath: path.aspath,
        med: path.metric,
        communities: path.communities ?? [],
        largeCommunities: path.large_communities ?? [],
      }));
  }

  async announce({ prefix, communities = [], largeCommunities = [] }: RouterAnnouncement): Promise<void> {
    const sets = [
      ...communities.flatMap((value) => ['community', value]),
      ...largeCommunities.flatMap((value) => ['large-community', value]),
    ];
    await this.#bgpctl('network', 'add', prefix, ...sets);
  }

  async withdraw(prefix: string): Promise<void> {
    await this.#bgpctl('network', 'delete', prefix);
  }

  async requestRefresh(): Promise<void> {
    await this.#bgpctl('neighbor', this.#us, 'refresh');
  }

  async shutdown(message: string): Promise<string> {
    await this.#bgpctl('neighbor', this.#us, 'down', message);
    return message;
  }

  async report(): Promise<string> {
    const log = join(this.#place.folder, 'bgpd.log');
    const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
    return `${text}\n${await this.#bgpctl('show', 'neighbor', this.#us)}`;
  }

  /** Its parser's errors about an additional line in the neighbour's block; empty when it accepts the line. */
  async refuses(line: string): Promise<string> {
    const file = join(this.#place.folder, 'probe.conf');
    const text = openbgpdConfig(this.#plan, this.#socket).replace('descr "us"', `descr "us"\n  ${line}`);
    writeFileSync(file, text, { mode: 0o600 });
    const { code, stderr } = await this.#place.run(['/usr/sbin/bgpd', '-n', '-f', file]);
    return code === 0 ? '' : stderr.trim().replace(`${file}:`, 'line ');
  }
}

function openbgpdConfig(plan: RouterPlan, socket: string): string {
  const families: FamilyName[] = ['ipv4-unicast', 'ipv6-unicast'];
  const announce = families.map((family) => {
    const name = ipVersion(family) === 'ipv4' ? 'IPv4' : 'IPv6';
    return `announce ${name} ${plan.families.includes(family) ? 'unicast' : 'none'}`;
  });
  const neighbor = [
    `remote-as ${plan.remoteAs}`,
    `local-address ${sessionAddress(plan, 'local')}`,
    'descr "us"',
    `holdtime ${plan.holdTime}`,
    ...announce,
    'announce enhanced refresh yes',
    ...(plan.passive ? ['passive'] : []),
    ...(plan.password ? [`tcp md5sig password ${plan.password}`] : []),
    ...(plan.gtsm ? ['ttl-security yes'] : []),
    ...(plan.addPath ? ['announce add-path recv yes', 'announce add-path send all'] : []),
    ...(plan.maximumPrefixes ? [`max-prefix ${plan.maximumPrefixes}`] : []),
  ];
  const networks = plan.families.flatMap((family) => announcementsOf(plan, family)).map(network);
  return `AS ${plan.as}
router-id ${plan.routerId}
socket "${socket}"
listen on ${sessionAddress(plan, 'local')}
connect-retry 1
fib-update no
${networks.join('\n')}
neighbor ${sessionAddress(plan, 'remote')} {
  ${neighbor.join('\n  ')}
}
${plan.feeders.map(({ address, as }) => `neighbor ${address} {\n  remote-as ${as}\n  passive\n}\n`).join('')}allow from any
allow to any
${otherNextHop(plan)}
`;
}

/** The next hop of the other family; only iBGP sessions use it. */
function otherNextHop(plan: RouterPlan): string {
  const other = plan.transport === 'ipv4' ? 'ipv6' : 'ipv4';
  if (!plan.families.some((family) => ipVersion(family) === other)) return '';
  return `match to ${sessionAddress(plan, 'remote')} set nexthop ${plan.local[other]}`;
}

function network({
  prefix,
  nextHop,
  med,
  communities = [],
  largeCommunities = [],
}: RouterAnnouncement): string {
  const sets = [
    ...(nextHop ? [`nexthop ${nextHop}`] : []),
    ...(med === undefined ? [] : [`metric ${med}`]),
    ...communities.map((value) => `community ${value}`),
    ...largeCommunities.map((value) => `large-community ${value}`),
  ];
  return `network ${prefix}${sets.length > 0 ? ` set { ${sets.join(' ')} }` : ''}`;
}
