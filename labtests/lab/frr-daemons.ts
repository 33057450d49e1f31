/** zebra and bgpd of FRR in a namespace, with vtysh. */

import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from './daemon.ts';
import { must } from './processes.ts';
import { makeOuterFolder } from './registry.ts';
import { until } from './wait.ts';

/** Where FRR runs. */
export interface FrrOptions {
  lab: string;
  netns: string;
  /** Where their output goes. */
  logFolder: string;
  /** For messages: ` on tor`. */
  place?: string;
  /** The text of bgpd.conf without `log file`. */
  config: string;
}

export class FrrDaemons {
  readonly zebra: Daemon;
  readonly bgpd: Daemon;
  readonly #options: FrrOptions;
  /** The daemons run as `frr`, which cannot enter the lab's own folder. */
  readonly #folder: string;

  /** Throws an Error when there is no user `frr`. */
  constructor(options: FrrOptions) {
    this.#options = options;
    const { uid, gid } = frrIds();
    this.#folder = makeOuterFolder(options.lab, 'frr');
    chownSync(this.#folder, uid, gid);
    writeFileSync(this.#path('bgpd.conf'), `log file ${this.#path('bgpd.log')}\n${options.config}`);
    writeFileSync(this.#path('zebra.conf'), '');
    this.zebra = this.#daemon('zebra');
    this.bgpd = this.#daemon('bgpd');
  }

  #path(file: string): string {
    return join(this.#folder, file);
  }

  #daemon(name: 'zebra' | 'bgpd'): Daemon {
    const { lab, netns, logFolder, place = '' } = this.#options;
    const command = [`/usr/lib/frr/${name}`, '-u', 'frr', '-g', 'frr', '-P', '0'];
    command.push('-f', this.#path(`${name}.conf`), '-i', this.#path(`${name}.pid`));
    command.push('-z', this.#path('zserv.api'), '--vty_socket', this.#folder);
    return new Daemon({
      lab,
      title: `FRR's ${name}${place}`,
      command,
      netns,
      logFile: join(logFolder, `${name}.out`),
    });
  }

  /** Starts the daemons that do not run; resolves before bgpd listens. */
  async start(): Promise<void> {
    if (!this.zebra.running) this.zebra.start();
    await until('zebra to listen', () => existsSync(this.#path('zserv.api')));
    this.bgpd.start();
  }

  /** Runs commands of vtysh one after the other; their output. */
  vtysh(...commands: string[]): Promise<string> {
    const { lab, netns } = this.#options;
    const words = commands.flatMap((text) => ['-c', text]);
    return must(lab, ['vtysh', '--vty_socket', this.#folder, ...words], { netns });
  }

  /** bgpd's log. */
  log(): string {
    const file = this.#path('bgpd.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
}

/** The ids of the user and group `frr`, which the Debian package creates. */
function frrIds(): { uid: number; gid: number } {
  const entry = /^frr:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  if (!entry) throw new Error('there is no user frr: install the Debian package frr');
  return { uid: Number(entry[1]), gid: Number(entry[2]) };
}
