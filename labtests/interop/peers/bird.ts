/** BIRD 2: configuration, control socket, routes. */

import { BirdDaemon } from '../../lab/bird-daemon.ts';
import type { Daemon } from '../../lab/daemon.ts';
import {
  announcementsOf,
  type FamilyName,
  ipVersion,
  type LearnedRoute,
  ownNextHop,
  type Router,
  type RouterAnnouncement,
  type RouterPlace,
  type RouterPlan,
  sessionAddress,
} from './router.ts';

export class BirdRouter implements Router {
  readonly #bird: BirdDaemon;
  #plan: RouterPlan;

  constructor(plan: RouterPlan, { lab, netns, folder }: RouterPlace) {
    this.#plan = plan;
    this.#bird = new BirdDaemon({ lab, netns, folder });
  }

  get daemons(): readonly Daemon[] {
    return [this.#bird.daemon];
  }

  async start(restarting = false): Promise<void> {
    this.#bird.configure(birdConfig(this.#plan));
    this.#bird.start(restarting);
  }

  async established(): Promise<boolean> {
    return /^flatroute +BGP .*Established/m.test(await this.#bird.birdc('show protocols flatroute'));
  }

  async routes(family: FamilyName): Promise<LearnedRoute[]> {
    const table = ipVersion(family) === 'ipv4' ? 'master4' : 'master6';
    return parseBirdRoutes(await this.#bird.birdc(`show route table ${table} protocol flatroute all`));
  }

  announce(route: RouterAnnouncement): Promise<void> {
    return this.#reconfigure([...this.#plan.announce, route]);
  }

  withdraw(prefix: string): Promise<void> {
    return this.#reconfigure(this.#plan.announce.filter((route) => route.prefix !== prefix));
  }

  async #reconfigure(announce: readonly RouterAnnouncement[]): Promise<void> {
    this.#plan = { ...this.#plan, announce };
    this.#bird.configure(birdConfig(this.#plan));
    await this.#bird.birdc('configure');
  }

  async requestRefresh(): Promise<void> {
    await this.#bird.birdc('reload in flatroute');
  }

  async shutdown(message: string): Promise<string> {
    await this.#bird.birdc(`disable flatroute "${message}"`);
    return message;
  }

  async report(): Promise<string> {
    return `${this.#bird.log()}\n${await this.#bird.birdc('show protocols all flatroute')}`;
  }
}

function birdConfig(plan: RouterPlan): string {
  const channels = plan.families.map((family) => {
    const options = [
      'import all',
      plan.feeders.length > 0
        ? 'export where source ~ [ RTS_STATIC, RTS_BGP ]'
        : 'export where source = RTS_STATIC',
      ...(plan.addPath ? ['add paths on'] : []),
      ...(plan.extendedNextHop && family === 'ipv4-unicast' ? ['extended next hop on'] : []),
      ...(plan.maximumPrefixes ? [`receive limit ${plan.maximumPrefixes} action disable`] : []),
    ];
    return `  ${ipVersion(family)} { ${options.join('; ')}; };`;
  });
  const session = [
    `local ${sessionAddress(plan, 'local')} as ${plan.as}`,
    `neighbor ${sessionAddress(plan, 'remote')} as ${plan.remoteAs}`,
    'direct',
    `hold time ${plan.holdTime}`,
    'connect delay time 1; connect retry time 1; error wait time 1, 2',
    ...(plan.passive ? ['passive on'] : []),
    ...(plan.password ? [`password "${plan.password}"`] : []),
    ...(plan.gtsm ? ['ttl security on'] : []),
    ...(plan.restartTime ? [`graceful restart on; graceful restart time ${plan.restartTime}`] : []),
    'enable extended messages on',
  ];
  return `router id ${plan.routerId};
${plan.restartTime ? `graceful restart wait ${plan.restartTime};` : ''}
protocol device { }
protocol direct { ipv4; ipv6; }
protocol static static4 { ipv4; ${birdStatics(plan, 'ipv4-unicast')} }
protocol static static6 { ipv6; ${birdStatics(plan, 'ipv6-unicast')} }
protocol bgp flatroute {
  ${session.join(';\n  ')};
${channels.join('\n')}
}
${plan.feeders.map((feeder, index) => birdFeeder(plan, feeder, index)).join('')}`;
}

function birdFeeder(plan: RouterPlan, { address, as }: RouterPlan['feeders'][number], index: number): string {
  return `protocol bgp feeder${index} {
  local ${plan.local.ipv4} as ${plan.as};
  neighbor ${address} as ${as};
  direct; passive on; hold time 9;
  ipv4 { import all; export where proto = "flatroute"; };
}
`;
}

function birdStatics(plan: RouterPlan, family: FamilyName): string {
  return announcementsOf(plan, family)
    .map(({ prefix, nextHop, med, communities = [], largeCommunities = [] }) => {
      const sets = [
        `bgp_next_hop = ${nextHop ?? ownNextHop(plan, prefix)};`,
        ...(med === undefined ? [] : [`bgp_med = ${med};`]),
        ...communities.map((value) => `bgp_community.add((${value.replace(':', ',')}));`),
        ...largeCommunities.map((value) => `bgp_large_community.add((${value.replaceAll(':', ',')}));`),
      ];
      // By default BIRD sends its own address; set explicitly, it does so over the other family's session too.
      return `route ${prefix} blackhole { ${sets.slice(nextHop || plan.transport !== ipVersion(family) ? 0 : 1).join(' ')} };`;
    })
    .join(' ');
}

/** Reads `show route all`; a line with blanks and a type is a further path to the same prefix. */
function parseBirdRoutes(text: string): LearnedRoute[] {
  const routes: LearnedRoute[] = [];
  let prefix = '';
  for (const line of text.split('\n')) {
    const head = /^(\S+)? +(?:unicast|unreachable|blackhole) \[/.exec(line);
    if (head) {
      prefix = head[1] ?? prefix;
      routes.push({ prefix, nextHop: '', asPath: '', communities: [], largeCommunities: [] });
      continue;
    }
    const field = /^\tBGP\.(\w+): ?(.*)$/.exec(line);
    const route = routes.at(-1);
    if (!field || !route) continue;
    const value = field[2].trim();
    if (field[1] === 'next_hop') route.nextHop = value.split(' ')[0];
    else if (field[1] === 'as_path') route.asPath = value;
    else if (field[1] === 'med') route.med = Number(value);
    else if (field[1] === 'community') route.communities = birdTuples(value);
    else if (field[1] === 'large_community') route.largeCommunities = birdTuples(value);
  }
  return routes;
}

/** `(65001,1) (65001,2)` → `65001:1`, `65001:2`. */
function birdTuples(text: string): string[] {
  return [...text.matchAll(/\(([^)]*)\)/g)].map((match) => match[1].replace(/ *, */g, ':'));
}
