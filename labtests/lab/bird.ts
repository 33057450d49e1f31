/** BIRD 2 on a machine of a lab: its configuration from the topology, and queries. */

import { parsePrefix } from 'bgp-js/ip';
import { BirdDaemon } from './bird-daemon.ts';
import type { LabRouter, RouterOptions } from './router.ts';
import type { BirdMachine } from './topology.ts';

export class Bird implements LabRouter {
  readonly machine: BirdMachine;
  readonly #bird: BirdDaemon;

  constructor({ lab, netns, folder, machine, holdTimeSeconds }: RouterOptions<BirdMachine>) {
    this.machine = machine;
    this.#bird = new BirdDaemon({ lab, netns, folder, place: ` on ${machine.name}` });
    this.#bird.configure(birdConfig(machine, holdTimeSeconds));
  }

  get title(): string {
    return this.#bird.daemon.title;
  }

  async start(): Promise<void> {
    this.#bird.start();
  }

  answers(): Promise<string> {
    return this.birdc('show status');
  }

  stop(): Promise<void> {
    return this.#bird.daemon.stop();
  }

  /** Runs one command of birdc, such as `show protocols`; its answer. */
  birdc(command: string): Promise<string> {
    return this.#bird.birdc(command);
  }

  async establishedPeers(): Promise<string[]> {
    const table = await this.birdc('show protocols');
    return table
      .split('\n')
      .map((line) => line.split(/\s+/))
      .filter((fields) => fields[1] === 'BGP' && fields.includes('Established'))
      .map((fields) => fields[0]);
  }

  /** The AS path of the best route to exactly this prefix; undefined without a route. */
  async asPath(prefix: string): Promise<string | undefined> {
    const answer = await this.birdc(`show route ${prefix} primary all`);
    return /BGP\.as_path: *(.*)/.exec(answer)?.[1].trim();
  }

  async hasRoute(prefix: string): Promise<boolean> {
    // `show route PREFIX` fails when there is no route.
    return (await this.birdc(`show route where net = ${prefix} primary`)).includes(prefix);
  }

  /** BIRD's log. */
  log(): string {
    return this.#bird.log();
  }
}

/** The text of bird.conf. Timers are short, so that a lab comes up quickly. */
function birdConfig(machine: BirdMachine, holdTimeSeconds: number): string {
  const own = machine.attachments.map(({ address }) => networkOf(address));
  const statics = machine.announce.filter((prefix) => !own.includes(prefix));
  const announced = machine.announce.length > 0 ? `net ~ [ ${machine.announce.join(', ')} ]` : 'false';
  const peers = machine.peers.map(
    (peer) => `protocol bgp ${peer.name} {
  local ${machine.attachments[0].address.split('/')[0]} as ${machine.as};
  neighbor ${peer.address} as ${peer.as};
  hold time ${holdTimeSeconds};
  connect delay time 1; connect retry time 2; error wait time 1, 2;
  ipv4 { import all; export where ${announced}; next hop self; };
}
`,
  );
  return `router id ${machine.routerId};
protocol device { }
protocol direct { ipv4; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; ${statics.map((prefix) => `route ${prefix} blackhole;`).join(' ')} }
${peers.join('')}`;
}

/** The network of an interface address: 10.0.0.254/24 → 10.0.0.0/24. */
export function networkOf(address: string): string {
  const network = parsePrefix(address);
  if (!network) throw new Error(`${address} is not an address with a prefix length`);
  return network.toString();
}
