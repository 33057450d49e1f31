/** Two network namespaces with a link between them: one for our speaker, one for BIRD. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { PeerConfig, PeerOptions, PeerStatus, SpeakerEvent } from 'bgp-js';
import { peerConfig } from 'bgp-js-testing';
import type { ChildOptions } from './speaker-child.ts';

let count = 0;

/** Waits until `probe` returns something; `what` is named in the error. */
export async function until<T>(what: string, probe: () => T | null | false | undefined): Promise<T> {
  const begin = performance.now();
  for (;;) {
    const found = probe();
    if (found) return found;
    if (performance.now() - begin > 30_000) throw new Error(`timed out waiting for ${what}`);
    await pause(50);
  }
}

/** Runs a command and returns its output; throws with its error output when it fails. */
export function run(...command: string[]): string {
  const result = spawnSync(command[0], command.slice(1), { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command.join(' ')}: ${result.stderr}${result.stdout}`);
  return result.stdout;
}

/** Our speaker in a namespace. */
export class ChildSpeaker {
  readonly events: SpeakerEvent[] = [];
  private readonly child: ChildProcess;
  private readonly errors: string[] = [];
  private ready = false;
  private answer: PeerStatus[] | null = null;

  constructor(netns: string, options: ChildOptions) {
    const script = join(import.meta.dirname, 'speaker-child.ts');
    const inside = [`--net=/run/netns/${netns}`, process.execPath, script, JSON.stringify(options)];
    this.child = spawn('nsenter', inside, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stderr?.on('data', (text) => this.errors.push(String(text)));
    if (!this.child.stdout) throw new Error('the speaker has no output');
    createInterface({ input: this.child.stdout }).on('line', (line) => this.take(line));
  }

  private take(line: string): void {
    const event = JSON.parse(line) as
      | SpeakerEvent
      | { type: 'ready' }
      | { type: 'statuses'; peers: PeerStatus[] };
    if (event.type === 'ready') this.ready = true;
    else if (event.type === 'statuses') this.answer = event.peers;
    else this.events.push(event);
  }

  started(): Promise<true> {
    return until('the speaker', () => {
      assert.equal(this.child.exitCode, null, this.errors.join(''));
      return this.ready;
    });
  }

  /** The first event of this type that matches. */
  event(type: SpeakerEvent['type'], fits: RegExp = /./, from = 0): Promise<SpeakerEvent> {
    const found = (): SpeakerEvent | undefined =>
      this.events.slice(from).find((event) => event.type === type && fits.test(JSON.stringify(event)));
    return until(`${type} ${fits}`, found).catch((error: Error) => {
      throw new Error(
        `${error.message}; the events were ${JSON.stringify(this.events)}${this.errors.join('')}`,
      );
    });
  }

  update(peer: PeerConfig): void {
    this.child.stdin?.write(`${JSON.stringify({ update: peer })}\n`);
  }

  async status(): Promise<PeerStatus> {
    this.answer = null;
    this.child.stdin?.write(`${JSON.stringify({ statuses: true })}\n`);
    const [status] = await until('the statuses', () => this.answer);
    return status;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin?.end();
    await Promise.race([gone, pause(5000).then(() => this.child.kill('SIGKILL'))]);
    await gone;
  }
}

/** BIRD in a namespace. */
export class Bird {
  readonly folder = mkdtempSync(join(tmpdir(), 'bgp-js-bird-'));
  private readonly child: ChildProcess;

  /** `protocols` follows `router id` and `protocol device` in the configuration. */
  constructor(netns: string, protocols: string) {
    this.write(protocols);
    const command = ['bird', '-f', '-c', this.file('conf'), '-s', this.file('ctl'), '-P', this.file('pid')];
    this.child = spawn('nsenter', [`--net=/run/netns/${netns}`, ...command], { stdio: 'ignore' });
  }

  private file(ending: string): string {
    return join(this.folder, `bird.${ending}`);
  }

  private write(protocols: string): void {
    const head = `log "${this.file('log')}" all;\nrouter id 10.9.0.2;\nprotocol device { scan time 1; }\n`;
    writeFileSync(this.file('conf'), `${head}${protocols}\n`);
  }

  birdc(...command: string[]): string {
    return run('birdc', '-s', this.file('ctl'), ...command);
  }

  /** Replaces the protocols without a restart. */
  reconfigure(protocols: string): string {
    this.write(protocols);
    return this.birdc('configure');
  }

  started(): Promise<boolean> {
    return until('BIRD', () => {
      assert.equal(this.child.exitCode, null, `BIRD exited: ${this.log()}`);
      return existsSync(this.file('ctl'));
    });
  }

  log(): string {
    return existsSync(this.file('log')) ? readFileSync(this.file('log'), 'utf8') : '';
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGTERM');
      await Promise.race([gone, pause(5000).then(() => this.child.kill('SIGKILL'))]);
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The two namespaces: `ours` has 10.9.0.1 and 2001:db8:9::1 on v0, `theirs` .2 and ::2, with link-local fe80::1 and ::2. */
export class Lab {
  readonly ours = `bjs${process.pid}-${count}a`;
  readonly theirs = `bjs${process.pid}-${count++}b`;
  private readonly stops: (() => Promise<void>)[] = [];

  constructor() {
    for (const netns of [this.ours, this.theirs]) {
      run('ip', 'netns', 'add', netns);
      run('ip', '-n', netns, 'link', 'set', 'lo', 'up');
    }
    const other = ['type', 'veth', 'peer', 'name', 'v0', 'netns', this.theirs];
    run('ip', '-n', this.ours, 'link', 'add', 'v0', ...other);
    for (const [netns, n] of [
      [this.ours, 1],
      [this.theirs, 2],
    ] as const) {
      run('ip', '-n', netns, 'link', 'set', 'v0', 'addrgenmode', 'none', 'up');
      run('ip', '-n', netns, 'address', 'add', `10.9.0.${n}/24`, 'dev', 'v0');
      for (const address of [`2001:db8:9::${n}/64`, `fe80::${n}/64`])
        run('ip', '-n', netns, 'address', 'add', address, 'dev', 'v0', 'nodad');
    }
  }

  /** A speaker of AS 64512 at 10.9.0.1 with one peer, of AS 65001 unless `fields` has another. */
  async speaker(
    fields: Partial<PeerOptions>,
    host: Partial<ChildOptions['host']> = {},
  ): Promise<ChildSpeaker> {
    return this.start(this.ours, '10.9.0.1', fields, host);
  }

  /** Our speaker in BIRD's place, at 10.9.0.2. */
  otherSpeaker(fields: Partial<PeerOptions>): Promise<ChildSpeaker> {
    return this.start(this.theirs, '10.9.0.2', fields, {});
  }

  private async start(
    netns: string,
    address: string,
    fields: Partial<PeerOptions>,
    host: Partial<ChildOptions['host']>,
  ): Promise<ChildSpeaker> {
    const child = new ChildSpeaker(netns, {
      speaker: { as: 64512, routerId: address, address, maximumPaths: 1 },
      host: { listen: { address: '::', port: 179 }, ...host },
      peers: [peerOf(fields)],
    });
    this.stops.push(() => child.stop());
    await child.started();
    return child;
  }

  async bird(protocols: string): Promise<Bird> {
    const bird = new Bird(this.theirs, protocols);
    this.stops.push(() => bird.stop());
    await bird.started();
    return bird;
  }

  /** Captures `count` packets on the link with tcpdump; returns its lines. */
  capture(packets: number, filter: string): Promise<string> {
    const command = ['tcpdump', '-n', '-v', '-i', 'v0', '-c', String(packets), filter];
    const child = spawn('nsenter', [`--net=/run/netns/${this.theirs}`, ...command]);
    this.stops.push(async () => {
      child.kill('SIGKILL');
    });
    let text = '';
    let errors = '';
    child.stdout.on('data', (chunk) => {
      text += String(chunk);
    });
    return new Promise((resolve, reject) => {
      child.stderr.on('data', (chunk) => {
        errors += String(chunk);
      });
      child.once('error', reject);
      child.once('close', () => (text === '' ? reject(new Error(errors)) : resolve(text)));
    });
  }

  /** Stops all processes and deletes the namespaces. */
  async remove(): Promise<void> {
    try {
      for (const stop of this.stops.splice(0).toReversed()) await stop();
    } finally {
      for (const netns of [this.ours, this.theirs]) run('ip', 'netns', 'del', netns);
    }
  }
}

/** BIRD as a peer, with short timers. */
export function peerOf(fields: Partial<PeerOptions>): PeerConfig {
  return peerConfig({ as: 65001, name: 'bird', holdTime: 9, connectRetry: 1, ...fields });
}

/** A BGP protocol of BIRD with short timers; `options` is in BIRD's syntax. */
export function birdPeer(options: string, ribFamilies = 'ipv4 { import all; export all; };'): string {
  return `protocol bgp p { local as 65001; connect delay time 1; connect retry time 1; error wait time 1, 2;
hold time 9; ${options} ${ribFamilies} }`;
}
