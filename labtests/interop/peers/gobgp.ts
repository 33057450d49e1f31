/** GoBGP: configuration, its command line client, routes. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from '../../lab/daemon.ts';
import { until } from '../../lab/wait.ts';
import {
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

/** A path as `gobgp global rib -j` prints it; attributes by their type code. */
interface GobgpPath {
  nlri: { prefix: string };
  'neighbor-ip'?: string;
  attrs: {
    type: number;
    as_paths?: { asns: number[] }[];
    nexthop?: string;
    metric?: number;
    communities?: number[];
    value?: { ASN: number; LocalData1: number; LocalData2: number }[];
  }[];
}

export class GobgpRouter implements Router {
  daemons: readonly Daemon[];
  readonly #place: RouterPlace;
  readonly #plan: RouterPlan;
  readonly #recovering: Daemon;

  constructor(plan: RouterPlan, place: RouterPlace) {
    this.#plan = plan;
    this.#place = place;
    const { lab, netns, folder } = place;
    const config = join(folder, 'gobgpd.toml');
    writeFileSync(config, gobgpConfig(plan), { mode: 0o600 });
    const command = ['gobgpd', '-f', config, '-l', 'debug', '-p', '--pprof-disable'];
    command.push('--api-hosts', '127.0.0.1:50051');
    const options = { lab, title: 'GoBGP', netns, logFile: join(folder, 'gobgpd.log') };
    this.#recovering = new Daemon({ ...options, command: [...command, '-r'] });
    this.daemons = [new Daemon({ ...options, command })];
  }

  async start(restarting = false): Promise<void> {
    if (restarting) this.daemons = [this.#recovering];
    const [daemon] = this.daemons;
    daemon.start();
    await until('GoBGP to answer', () => {
      daemon.assertRunning();
      return this.#gobgp('global');
    });
    for (const route of this.#plan.announce) await this.announce(route);
  }

  #gobgp(...command: string[]): Promise<string> {
    return this.#place.must(['gobgp', ...command]);
  }

  get #us(): string {
    return sessionAddress(this.#plan, 'remote');
  }

  async established(): Promise<boolean> {
    const view = JSON.parse(await this.#gobgp('neighbor', this.#us, '-j')) as {
      state: { session_state?: number | string };
    };
    // The client's JSON has the enumeration of its API: 6 is ESTABLISHED.
    return view.state.session_state === 6;
  }

  async routes(family: FamilyName): Promise<LearnedRoute[]> {
    const text = await this.#gobgp('neighbor', this.#us, 'adj-in', '-a', ipVersion(family), '-j');
    const table = JSON.parse(text) as Record<string, GobgpPath[]> | [];
    return Object.values(table).flat().map(learned);
  }

  async announce(route: RouterAnnouncement): Promise<void> {
    const version = ipVersion(familyOfPrefix(route.prefix));
    const {
      prefix,
      nextHop = ownNextHop(this.#plan, route.prefix),
      med,
      communities,
      largeCommunities,
    } = route;
    const command = ['global', 'rib', 'add', '-a', version, prefix, 'nexthop', nextHop, 'origin', 'igp'];
    if (med !== undefined) command.push('med', String(med));
    if (communities) command.push('community', communities.join(','));
    if (largeCommunities) command.push('large-community', largeCommunities.join(','));
    await this.#gobgp(...command);
  }

  async withdraw(prefix: string): Promise<void> {
    await this.#gobgp('global', 'rib', 'del', '-a', ipVersion(familyOfPrefix(prefix)), prefix);
  }

  async requestRefresh(): Promise<void> {
    await this.#gobgp('neighbor', this.#us, 'softresetin');
  }

  async shutdown(message: string): Promise<string> {
    await this.#gobgp('neighbor', this.#us, 'shutdown', '--reason', message);
    return message;
  }

  async report(): Promise<string> {
    const log = join(this.#place.folder, 'gobgpd.log');
    const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
    return `${text}\n${await this.#gobgp('neighbor', this.#us)}`;
  }
}

function learned(path: GobgpPath): LearnedRoute {
  const attribute = (type: number) => path.attrs.find((candidate) => candidate.type === type);
  const segments = attribute(2)?.as_paths ?? [];
  const standard = attribute(8)?.communities ?? [];
  return {
    prefix: path.nlri.prefix,
    nextHop: attribute(3)?.nexthop ?? attribute(14)?.nexthop ?? '',
    asPath: segments.flatMap(({ asns }) => asns).join(' '),
    med: attribute(4)?.metric,
    communities: standard.map((value) => `${value >>> 16}:${value & 0xffff}`),
    largeCommunities: (attribute(32)?.value ?? []).map(
      ({ ASN, LocalData1, LocalData2 }) => `${ASN}:${LocalData1}:${LocalData2}`,
    ),
  };
}

function gobgpConfig(plan: RouterPlan): string {
  const families = plan.families.map(
    (family) => `  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "${family}"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = ${plan.restartTime !== undefined}
    [neighbors.afi-safis.add-paths.config]
      receive = ${plan.addPath ?? false}
      send-max = ${plan.addPath ? 8 : 0}
    ${plan.maximumPrefixes ? `[neighbors.afi-safis.prefix-limit.config]\n      max-prefixes = ${plan.maximumPrefixes}` : ''}`,
  );
  return `[global.config]
  as = ${plan.as}
  router-id = "${plan.routerId}"
  local-address-list = ["${sessionAddress(plan, 'local')}"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${sessionAddress(plan, 'remote')}"
    peer-as = ${plan.remoteAs}
    ${plan.password ? `auth-password = "${plan.password}"` : ''}
  [neighbors.transport.config]
    passive-mode = ${plan.passive}
    local-address = "${sessionAddress(plan, 'local')}"
  [neighbors.timers.config]
    hold-time = ${plan.holdTime}
    keepalive-interval = ${Math.floor(plan.holdTime / 3)}
    connect-retry = 1
    idle-hold-time-after-reset = 1
  [neighbors.ttl-security.config]
    enabled = ${plan.gtsm ?? false}
    ttl-min = 255
  [neighbors.graceful-restart.config]
    enabled = ${plan.restartTime !== undefined}
    restart-time = ${plan.restartTime ?? 0}
${families.join('\n')}
${plan.feeders.map((feeder) => gobgpFeeder(plan, feeder)).join('')}`;
}

function gobgpFeeder(plan: RouterPlan, { address, as }: RouterPlan['feeders'][number]): string {
  return `[[neighbors]]
  [neighbors.config]
    neighbor-address = "${address}"
    peer-as = ${as}
  [neighbors.transport.config]
    passive-mode = true
    local-address = "${plan.local.ipv4}"
`;
}
