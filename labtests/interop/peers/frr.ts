/** FRR: zebra and bgpd, vtysh, routes. */

import type { Daemon } from '../../lab/daemon.ts';
import { FrrDaemons } from '../../lab/frr-daemons.ts';
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

interface FrrPath {
  path?: string;
  aspath?: { string: string };
  metric?: number;
  nexthops: { ip: string; scope?: string; used?: boolean }[];
  community?: { string: string };
  largeCommunity?: { string: string };
}

export class FrrRouter implements Router {
  readonly daemons: readonly Daemon[];
  readonly #frr: FrrDaemons;
  readonly #plan: RouterPlan;

  constructor(plan: RouterPlan, { lab, netns, folder }: RouterPlace) {
    this.#plan = plan;
    this.#frr = new FrrDaemons({ lab, netns, logFolder: folder, config: frrConfig(plan) });
    this.daemons = [this.#frr.zebra, this.#frr.bgpd];
  }

  start(): Promise<void> {
    return this.#frr.start();
  }

  #vtysh(...commands: string[]): Promise<string> {
    return this.#frr.vtysh(...commands);
  }

  get #us(): string {
    return sessionAddress(this.#plan, 'remote');
  }

  async established(): Promise<boolean> {
    const text = await this.#vtysh(`show bgp neighbors ${this.#us} json`);
    const view = JSON.parse(text) as Record<string, { bgpState?: string }>;
    return view[this.#us]?.bgpState === 'Established';
  }

  async routes(family: FamilyName): Promise<LearnedRoute[]> {
    const version = ipVersion(family);
    const table = JSON.parse(await this.#vtysh(`show bgp ${version} unicast json`)) as {
      routes: Record<string, { peerId: string }[]>;
    };
    const prefixes = Object.entries(table.routes)
      .filter(([, paths]) => paths.some(({ peerId }) => peerId === this.#us))
      .map(([prefix]) => prefix);
    const routes: LearnedRoute[] = [];
    for (const prefix of prefixes) {
      const text = await this.#vtysh(`show bgp ${version} unicast ${prefix} json`);
      // Empty when the route was withdrawn meanwhile.
      const { paths = [] } = JSON.parse(text) as { paths?: (FrrPath & { peer?: { peerId: string } })[] };
      routes.push(
        ...paths.filter(({ peer }) => peer?.peerId === this.#us).map((path) => learned(prefix, path)),
      );
    }
    return routes;
  }

  async announce(route: RouterAnnouncement): Promise<void> {
    await this.#network(route.prefix, true);
  }

  async withdraw(prefix: string): Promise<void> {
    await this.#network(prefix, false);
  }

  async #network(prefix: string, there: boolean): Promise<void> {
    const family = `address-family ${ipVersion(familyOfPrefix(prefix))} unicast`;
    const command = `${there ? '' : 'no '}network ${prefix}`;
    await this.#vtysh('configure terminal', `router bgp ${this.#plan.as}`, family, command);
  }

  async requestRefresh(): Promise<void> {
    await this.#vtysh(`clear bgp ${ipVersion(this.#plan.families[0])} unicast ${this.#us} soft in`);
  }

  async shutdown(message: string): Promise<string> {
    const command = `neighbor ${this.#us} shutdown message ${message}`;
    await this.#vtysh('configure terminal', `router bgp ${this.#plan.as}`, command);
    return message;
  }

  async report(): Promise<string> {
    return `${this.#frr.log()}\n${await this.#vtysh(`show bgp neighbors ${this.#us}`)}`;
  }
}

function learned(prefix: string, path: FrrPath): LearnedRoute {
  const hop = path.nexthops.find(({ scope }) => scope !== 'link-local') ?? path.nexthops[0];
  const words = (text?: string) => (text ? text.split(' ') : []);
  return {
    prefix,
    nextHop: hop.ip,
    asPath: path.aspath?.string === 'Local' ? '' : (path.aspath?.string ?? ''),
    med: path.metric,
    communities: words(path.community?.string),
    largeCommunities: words(path.largeCommunity?.string),
  };
}

function frrConfig(plan: RouterPlan): string {
  const us = sessionAddress(plan, 'remote');
  const neighbor = [
    `remote-as ${plan.remoteAs}`,
    `timers ${Math.floor(plan.holdTime / 3)} ${plan.holdTime}`,
    'timers connect 1',
    'advertisement-interval 0',
    ...(plan.passive ? ['passive'] : []),
    ...(plan.password ? [`password ${plan.password}`] : []),
    ...(plan.gtsm ? ['ttl-security hops 1'] : []),
    ...(plan.extendedNextHop ? ['capability extended-nexthop'] : []),
  ];
  const restart = plan.restartTime
    ? [
        'bgp graceful-restart',
        `bgp graceful-restart restart-time ${plan.restartTime}`,
        'bgp graceful-restart preserve-fw-state',
      ]
    : [];
  const router = [
    `bgp router-id ${plan.routerId}`,
    'no bgp ebgp-requires-policy',
    'no bgp network import-check',
    'no bgp default ipv4-unicast',
    ...restart,
    ...neighbor.map((line) => `neighbor ${us} ${line}`),
    ...plan.feeders.flatMap(({ address, as }) => [
      `neighbor ${address} remote-as ${as}`,
      `neighbor ${address} passive`,
      `neighbor ${address} advertisement-interval 0`,
    ]),
    ...plan.families.map((family) => frrFamily(plan, family, us)),
  ];
  const maps = plan.announce.map((route, index) => frrRouteMap(route, index));
  return `debug bgp neighbor-events
debug bgp graceful-restart
${maps.join('')}router bgp ${plan.as}
 ${router.join('\n ')}
`;
}

function frrFamily(plan: RouterPlan, family: FamilyName, us: string): string {
  const lines = announcementsOf(plan, family).map((route) => {
    const map = frrSets(route).length > 0 ? ` route-map R${plan.announce.indexOf(route)}` : '';
    return `network ${route.prefix}${map}`;
  });
  lines.push(`neighbor ${us} activate`);
  if (family === 'ipv4-unicast')
    lines.push(...plan.feeders.map(({ address }) => `neighbor ${address} activate`));
  if (plan.maximumPrefixes) lines.push(`neighbor ${us} maximum-prefix ${plan.maximumPrefixes}`);
  if (plan.addPath) lines.push(`neighbor ${us} addpath-tx-all-paths`);
  return `address-family ${ipVersion(family)} unicast\n  ${lines.join('\n  ')}\n exit-address-family`;
}

function frrSets({ nextHop, med, communities, largeCommunities }: RouterAnnouncement): string[] {
  return [
    ...(nextHop ? [`set ip next-hop ${nextHop}`] : []),
    ...(med === undefined ? [] : [`set metric ${med}`]),
    ...(communities ? [`set community ${communities.join(' ')}`] : []),
    ...(largeCommunities ? [`set large-community ${largeCommunities.join(' ')}`] : []),
  ];
}

/** The route map of an announcement; empty when it sets nothing. */
function frrRouteMap(route: RouterAnnouncement, index: number): string {
  const sets = frrSets(route).map((line) => ` ${line}\n`);
  return sets.length > 0 ? `route-map R${index} permit 10\n${sets.join('')}` : '';
}
