/** Our side of an interop lab: runs the speaker program in a namespace and calls it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Attributes, OriginateOptions, PeerStatus, SpeakerEvent } from 'bgp-js';
import { inNetns, labEnvironment } from '../../lab/processes.ts';
import type { Answer, SpeakerPlan } from './protocol.ts';

const program = join(import.meta.dirname, 'program.ts');

/** A route with its paths, as the program prints it. */
export interface OurRoute {
  prefix: string;
  paths: { peer: string; attributes: Attributes; status: string; reason: string; stale: boolean }[];
}

export class OurSpeaker {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #ended: Promise<void>;
  #ready: () => void = () => {};
  #failed: (error: Error) => void = () => {};
  /** All prefixes that it originated so far. */
  readonly originated = new Set<string>();
  #stderr = '';
  #nextId = 1;

  private constructor(lab: string, netns: string, configFile: string) {
    const [file, ...args] = inNetns(netns, [process.execPath, program, configFile]);
    this.#child = spawn(file, args, { env: labEnvironment(lab), detached: true });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#line(line));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#child.stdin!.on('error', () => {}); // reported when the process exits
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (error) => this.#fail(error.message));
      this.#child.on('close', (code, signal) => {
        this.#fail(`it ended with ${signal ?? code}: ${this.#stderr.trim()}`);
        resolve();
      });
    });
  }

  /** Starts the program; resolves when it listens. */
  static async start(options: {
    lab: string;
    netns: string;
    folder: string;
    plan: SpeakerPlan;
  }): Promise<OurSpeaker> {
    const file = join(options.folder, 'speaker.json');
    writeFileSync(file, JSON.stringify(options.plan), { mode: 0o600 });
    const speaker = new OurSpeaker(options.lab, options.netns, file);
    for (const { prefix } of options.plan.originate) speaker.originated.add(prefix);
    await new Promise<void>((resolve, reject) => {
      speaker.#ready = resolve;
      speaker.#failed = reject;
    });
    return speaker;
  }

  #line(line: string): void {
    const { id, ready, value, error } = JSON.parse(line) as Answer;
    if (ready) return this.#ready();
    const call = this.#waiting.get(id!);
    this.#waiting.delete(id!);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  }

  #fail(reason: string): void {
    const error = new Error(`our speaker: ${reason}`);
    this.#failed(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #call<T>(method: string, ...args: unknown[]): Promise<T> {
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        return reject(new Error(`our speaker has ended: ${this.#stderr}`));
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.stdin!.write(`${JSON.stringify({ id, method, args })}\n`);
    });
  }

  /** The one peer. */
  async peer(): Promise<PeerStatus> {
    return (await this.#call<PeerStatus[]>('peers'))[0];
  }

  routes(): Promise<OurRoute[]> {
    return this.#call('routes');
  }

  events(): Promise<SpeakerEvent[]> {
    return this.#call('events');
  }

  originate(prefix: string, options?: OriginateOptions): Promise<void> {
    this.originated.add(prefix);
    return this.#call('originate', prefix, options);
  }

  withdraw(prefix: string): Promise<void> {
    return this.#call('withdraw', prefix);
  }

  /** Sends a peer, by its name, a route refresh request (RFC 2918); false when the peer does not support it. */
  refresh(name: string): Promise<boolean> {
    return this.#call('refresh', name);
  }

  /** The peer of a feeder, as the feeder sees it. */
  feeder(index: number): Promise<PeerStatus> {
    return this.#call('feeder', index);
  }

  feederWithdraw(index: number, prefix: string): Promise<void> {
    return this.#call('feederWithdraw', index, prefix);
  }

  /** Stops with a shutdown message for the peer (RFC 9003). */
  async stop(message: string): Promise<void> {
    await this.#call('stop', message);
    this.#child.stdin!.end();
    await this.#ended;
  }

  /** Sends SIGKILL: the peer only notices the end of the connection. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
