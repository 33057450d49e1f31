/** FRR on a machine of a lab: zebra, which writes the kernel's routes, and bgpd. */

import { networkOf } from './bird.ts';
import { FrrDaemons } from './frr-daemons.ts';
import type { LabRouter, RouterOptions } from './router.ts';
import type { FrrMachine } from './topology.ts';

export class Frr implements LabRouter {
  readonly machine: FrrMachine;
  readonly title: string;
  readonly #daemons: FrrDaemons;

  constructor({ lab, netns, folder, machine, holdTimeSeconds }: RouterOptions<FrrMachine>) {
    this.machine = machine;
    this.title = `FRR on ${machine.name}`;
    const config = frrConfig(machine, holdTimeSeconds);
    this.#daemons = new FrrDaemons({ lab, netns, logFolder: folder, place: ` on ${machine.name}`, config });
  }

  start(): Promise<void> {
    return this.#daemons.start();
  }

  answers(): Promise<string> {
    this.#daemons.bgpd.assertRunning();
    return this.#daemons.vtysh('show bgp summary json');
  }

  async stop(): Promise<void> {
    await this.#daemons.bgpd.stop();
    await this.#daemons.zebra.stop();
  }

  async establishedPeers(): Promise<string[]> {
    const text = await this.#daemons.vtysh('show bgp neighbors json');
    const neighbors = JSON.parse(text) as Record<string, { bgpState?: string }>;
    return this.machine.peers
      .filter(({ address }) => neighbors[address]?.bgpState === 'Established')
      .map(({ name }) => name);
  }

  /** The route is best in bgpd, and zebra has installed it. */
  async hasRoute(prefix: string): Promise<boolean> {
    const bgp = JSON.parse(await this.#daemons.vtysh(`show bgp ipv4 unicast ${prefix} json`)) as {
      paths?: { bestpath?: { overall?: boolean } }[];
    };
    const zebra = JSON.parse(await this.#daemons.vtysh(`show ip route ${prefix} json`)) as Record<
      string,
      { protocol: string; installed?: boolean }[]
    >;
    const best = bgp.paths?.some(({ bestpath }) => bestpath?.overall) ?? false;
    return best && (zebra[prefix] ?? []).some(({ protocol, installed }) => protocol === 'bgp' && installed);
  }
}

/** The text of bgpd.conf. By default FRR is a graceful restart helper (RFC 4724). */
function frrConfig(machine: FrrMachine, holdTimeSeconds: number): string {
  const own = machine.attachments.map(({ address }) => networkOf(address));
  const strange = machine.announce.filter((prefix) => !own.includes(prefix));
  if (strange.length > 0) throw new Error(`${machine.name} has no interface in ${strange}`);
  const peers = machine.peers.flatMap(({ address, as }) => [
    `neighbor ${address} remote-as ${as}`,
    `neighbor ${address} timers ${Math.floor(holdTimeSeconds / 3)} ${holdTimeSeconds}`,
    `neighbor ${address} timers connect 1`,
    `neighbor ${address} advertisement-interval 0`,
  ]);
  const family = [
    ...machine.announce.map((prefix) => `network ${prefix}`),
    ...machine.peers.map(({ address }) => `neighbor ${address} prefix-list own out`),
  ];
  return `debug bgp neighbor-events
debug bgp graceful-restart
${machine.announce.map((prefix) => `ip prefix-list own permit ${prefix}\n`).join('')}router bgp ${machine.as}
 bgp router-id ${machine.routerId}
 no bgp ebgp-requires-policy
 ${peers.join('\n ')}
 address-family ipv4 unicast
  ${family.join('\n  ')}
 exit-address-family
`;
}
