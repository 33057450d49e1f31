/** BIRD 2 on a machine of a lab: its configuration from the topology, and its control socket. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from './daemon.ts';
import { must } from './processes.ts';
import type { LabRouter, RouterOptions } from './router.ts';
import type { BirdMachine } from './topology.ts';

export class Bird implements LabRouter {
  readonly machine: BirdMachine;
  readonly #daemon: Daemon;
  readonly #lab: string;
  readonly #folder: string;

  constructor(options: RouterOptions<BirdMachine>) {
    const { lab, netns, folder, machine } = options;
    this.machine = machine;
    this.#lab = lab;
    this.#folder = folder;
    const config = join(folder, 'bird.conf');
    writeFileSync(config, birdConfig(machine, options.holdTimeSeconds, this.#logFile), { mode: 0o600 });
    this.#daemon = new Daemon({
      lab,
      title: `BIRD on ${machine.name}`,
      command: ['bird', '-f', '-c', config, '-s', this.#socket],
      netns,
      logFile: join(folder, 'bird.out'),
    });
  }

  get title(): string {
    return this.#daemon.title;
  }

  async start(): Promise<void> {
    this.#daemon.start();
  }

  answers(): Promise<string> {
    return this.birdc('show status');
  }

  stop(): Promise<void> {
    return this.#daemon.stop();
  }

  get #socket(): string {
    return join(this.#folder, 'bird.ctl');
  }

  get #logFile(): string {
    return join(this.#folder, 'bird.log');
  }

  /** Runs one command of birdc, such as `show protocols`; its answer. */
  async birdc(command: string): Promise<string> {
    this.#daemon.assertRunning();
    return must(this.#lab, ['birdc', '-s', this.#socket, ...command.split(' ')]);
  }

  async establishedPeers(): Promise<string[]> {
    const table = await this.birdc('show protocols');
    return table
      .split('\n')
      .map((line) => line.split(/\s+/))
      .filter((fields) => fields[1] === 'BGP' && fields.includes('Established'))
      .map((fields) => fields[0]);
  }

  /** The AS path of the best route to exactly this prefix; undefined when there is none. */
  async asPath(prefix: string): Promise<string | undefined> {
    const answer = await this.birdc(`show route ${prefix} primary all`);
    return /BGP\.as_path: *(.*)/.exec(answer)?.[1].trim();
  }

  async hasRoute(prefix: string): Promise<boolean> {
    // Asked for the prefix itself, birdc fails when there is none.
    return (await this.birdc(`show route where net = ${prefix} primary`)).includes(prefix);
  }

  /** What BIRD has logged of its protocols. */
  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
  }
}

/** The text of bird.conf. Timers are short, because in a lab somebody waits. */
export function birdConfig(machine: BirdMachine, holdTimeSeconds: number, logFile: string): string {
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
  return `log "${logFile}" all;
debug protocols { states, events };
router id ${machine.routerId};
protocol device { }
protocol direct { ipv4; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; ${statics.map((prefix) => `route ${prefix} blackhole;`).join(' ')} }
${peers.join('')}`;
}

/** The network of an address with prefix length: 10.0.0.254/24 → 10.0.0.0/24. */
export function networkOf(address: string): string {
  const [ip, length] = address.split('/');
  const bits = ip.split('.').reduce((value, part) => value * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(length));
  const network = Math.floor(bits / size) * size;
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256);
  return `${parts.join('.')}/${length}`;
}
