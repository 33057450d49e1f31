/** The process of BIRD 2 in a namespace, with birdc. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from './daemon.ts';
import { must } from './processes.ts';

/** Where BIRD runs. */
export interface BirdOptions {
  lab: string;
  netns: string;
  /** The folder of its configuration, control socket and log, which exists. */
  folder: string;
  /** For messages: ` on tor`. */
  place?: string;
}

export class BirdDaemon {
  readonly #options: BirdOptions;
  #daemon: Daemon;

  constructor(options: BirdOptions) {
    this.#options = options;
    this.#daemon = this.#make([]);
  }

  #make(more: readonly string[]): Daemon {
    const { lab, netns, folder, place = '' } = this.#options;
    const command = ['bird', '-f', '-c', this.#path('bird.conf'), '-s', this.#path('bird.ctl'), ...more];
    return new Daemon({ lab, title: `BIRD${place}`, command, netns, logFile: join(folder, 'bird.out') });
  }

  #path(file: string): string {
    return join(this.#options.folder, file);
  }

  get daemon(): Daemon {
    return this.#daemon;
  }

  /** Writes bird.conf: the lines that make BIRD log, then `config`. */
  configure(config: string): void {
    const head = `log "${this.#path('bird.log')}" all;\ndebug protocols { states, events };\n`;
    writeFileSync(this.#path('bird.conf'), `${head}${config}`, { mode: 0o600 });
  }

  /** Starts BIRD; `recovering`: as after a crash, with graceful restart (RFC 4724 §4.1). */
  start(recovering = false): void {
    if (recovering) this.#daemon = this.#make(['-R']);
    this.#daemon.start();
  }

  /** Runs one command of birdc, such as `show protocols`; its answer. Words in quotation marks are one. */
  birdc(command: string): Promise<string> {
    this.#daemon.assertRunning();
    const words = command.match(/"[^"]*"|\S+/g) ?? [];
    return must(this.#options.lab, ['birdc', '-s', this.#path('bird.ctl'), ...words]);
  }

  /** BIRD's log. */
  log(): string {
    const file = this.#path('bird.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
}
