/**
 * The bench of one cell: two namespaces joined by a veth pair, our speaker in one and a foreign router in the other,
 * with everything on TCP port 179 captured on our side. Each cell has its own addresses (10.9.N.0/24 and
 * fd09:0:0:N::/64), so that the captures of many cells can be read as one.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SpeakerOptions } from 'bgp-js';
import { createNamespace, ipBatch } from '../lab/netns.ts';
import { must, run } from '../lab/processes.ts';
import { folderOf, registerLab, removeLab } from '../lab/registry.ts';
import { UndoList } from '../lab/undo.ts';
import { until } from '../lab/wait.ts';
import { type Capture, startCapture, tsharkFields } from './capture.ts';
import { createRouter, versionOf } from './peers/index.ts';
import type { Addresses, Router, RouterKind, RouterPlace } from './peers/router.ts';
import {
  feederPlans,
  OUR_AS,
  peerConfigs,
  routerPlan,
  type SessionPlan,
  type Sides,
} from './session-plan.ts';
import type { FeederPlan } from './speaker/protocol.ts';
import { OurSpeaker } from './speaker/speaker.ts';

export class InteropBench implements Sides {
  readonly kind: RouterKind;
  readonly number: number;
  readonly ours: Addresses;
  readonly theirs: Addresses;
  readonly id: string;
  readonly #undo = new UndoList();
  #speaker: OurSpeaker | undefined;
  #router: Router | undefined;
  #observer: OurSpeaker | undefined;
  #capture: Capture | undefined;
  #session: SessionPlan = { type: 'eBGP' };

  private constructor(kind: RouterKind, number: number) {
    this.kind = kind;
    this.number = number;
    const side = (host: number) => ({ ipv4: `10.9.${number}.${host}`, ipv6: `fd09:0:0:${number}::${host}` });
    this.ours = side(1);
    this.theirs = side(2);
    const machines = ['us', 'peer'].map((name) => ({ name, role: 'interop' }));
    this.id = registerLab(`interop-${kind}`, machines).id;
    this.#undo.push('namespaces and processes', () => removeLab(this.id));
  }

  /** Creates the namespaces and the link, and starts to capture. `number` is 1–250. */
  static async open(kind: RouterKind, number: number): Promise<InteropBench> {
    const bench = new InteropBench(kind, number);
    try {
      const us = await createNamespace(bench.id, 'us');
      const peer = await createNamespace(bench.id, 'peer');
      await ipBatch(bench.id, us, [
        `link add eth0 type veth peer name eth0 netns ${peer}`,
        ...upLines(bench.ours),
      ]);
      await ipBatch(bench.id, peer, upLines(bench.theirs));
      bench.#capture = await startCapture(bench.id, us, join(bench.folder, 'bgp.pcap'));
      return bench;
    } catch (error) {
      await bench.close();
      throw error;
    }
  }

  feederAddress(index: number): string {
    return `10.9.${this.number}.${11 + index}`;
  }

  get folder(): string {
    return folderOf(this.id);
  }

  /** Our speaker, once `bring` has started it. */
  get speaker(): OurSpeaker {
    if (!this.#speaker) throw new Error('our speaker does not run');
    return this.#speaker;
  }

  /** The feeder that runs in its own process. */
  get observer(): OurSpeaker {
    if (!this.#observer) throw new Error('no feeder runs in its own process');
    return this.#observer;
  }

  /** Prefixes that our speaker originates. */
  get originated(): string[] {
    return [...(this.#speaker?.originated ?? [])];
  }

  /** The foreign router, once `bring` has started it. */
  get router(): Router {
    if (!this.#router) throw new Error(`${this.kind} does not run`);
    return this.#router;
  }

  /** The last lines of the router's logs; empty when it was never started. */
  routerLogs(): string {
    return (this.#router?.daemons ?? []).map((daemon) => daemon.logTail()).join('\n');
  }

  /** Starts both sides, the passive one first, and waits for the session. */
  async bring(plan: SessionPlan): Promise<void> {
    await this.start(plan);
    await this.established();
  }

  /** Starts both sides without waiting for the session. */
  async start(plan: SessionPlan): Promise<void> {
    this.prepare(plan);
    if (plan.connects === 'peer') {
      await this.startSpeaker();
      await this.startRouter();
    } else {
      await this.startRouter();
      await this.startSpeaker();
    }
  }

  /** Creates the router with its configuration, without starting it. */
  prepare(plan: SessionPlan): Router {
    this.#session = plan;
    const folder = join(this.folder, 'router');
    mkdirSync(folder, { mode: 0o700 });
    const netns = `${this.id}-peer`;
    const place: RouterPlace = {
      lab: this.id,
      netns,
      folder,
      run: (command, options) => run(this.id, command, { ...options, netns }),
      must: (command, options) => must(this.id, command, { ...options, netns }),
    };
    const router = createRouter(this.kind, routerPlan(plan, this), place);
    this.#router = router;
    this.#undo.push('processes', () => this.#killRouter());
    return router;
  }

  /** Starts the router and waits until it listens. */
  async startRouter(restarting = false): Promise<void> {
    await this.router.start(restarting);
    const listens = await until(`${this.kind} to listen`, async () => {
      if (this.router.daemons.some(({ running }) => !running)) return 'ended';
      return (await this.runIn('peer', ['ss', '-tlnH', 'sport = :179'])).trim() !== '';
    });
    if (listens === 'ended') for (const daemon of this.router.daemons) daemon.assertRunning();
  }

  async startSpeaker(more: Partial<SpeakerOptions> = {}): Promise<void> {
    const plan = this.#session;
    const all = feederPlans(plan, this);
    const feeders = all.filter((_, index) => !plan.feeders?.[index].apart);
    const apart = all.find((feeder) => !feeders.includes(feeder));
    await ipBatch(
      this.id,
      `${this.id}-us`,
      all.map(({ address }) => `addr replace ${address}/24 dev eth0`),
    );
    if (apart && !this.#observer) this.#observer = await this.#startApart(apart);
    const listen = { address: plan.transport === 'ipv6' ? '::' : '0.0.0.0', port: 179 };
    const speaker = {
      as: OUR_AS,
      routerId: this.ours.ipv4,
      address: this.ours.ipv4,
      address6: this.ours.ipv6,
      maximumPaths: 1,
      ...plan.speaker,
      ...more,
    };
    const peers = peerConfigs(plan, this, this.kind);
    this.#speaker = await OurSpeaker.start({
      lab: this.id,
      netns: `${this.id}-us`,
      folder: this.folder,
      plan: { speaker, listen, peers, originate: plan.originate ?? [], feeders },
    });
  }

  /** Kills our speaker and starts it as a restarting one (RFC 4724 §4.1). */
  async restartSpeaker(whileAway: () => Promise<void>): Promise<void> {
    await this.speaker.kill();
    await whileAway();
    await this.startSpeaker({ restarted: true });
  }

  #startApart({ as, address, peer, originate }: FeederPlan): Promise<OurSpeaker> {
    const speaker = { as, routerId: address, address, maximumPaths: 1 };
    const folder = join(this.folder, 'observer');
    mkdirSync(folder, { mode: 0o700 });
    const plan = { speaker, listen: null, peers: [peer], originate, feeders: [] };
    return OurSpeaker.start({ lab: this.id, netns: `${this.id}-us`, folder, plan });
  }

  /** Waits until both sides say that the session is Established. */
  async established(): Promise<void> {
    await until('our session to be Established', async () => {
      const { state, lastError } = await this.speaker.peer();
      if (state !== 'Established') throw new Error(`${state}, ${lastError?.text}`);
      return true;
    });
    await until(`${this.kind} to call the session Established`, () => this.router.established());
  }

  /** Drops BGP on the link, in both directions, until `restore`. */
  async cut(): Promise<void> {
    const chain = (hook: string) =>
      `chain ${hook} { type filter hook ${hook} priority 0; tcp sport 179 drop; tcp dport 179 drop; }`;
    const input = `table inet cut {\n${chain('input')}\n${chain('output')}\n}\n`;
    await must(this.id, ['nft', '-f', '-'], { netns: `${this.id}-us`, input });
  }

  async restore(): Promise<void> {
    await this.runIn('us', ['nft', 'delete', 'table', 'inet', 'cut']);
  }

  /** Runs a program that must succeed on one side; its standard output. */
  runIn(side: 'us' | 'peer', command: string[], timeoutMs?: number): Promise<string> {
    return must(this.id, command, { netns: `${this.id}-${side}`, timeoutMs });
  }

  /** Version of the router's Debian package. */
  version(): Promise<string> {
    return versionOf(this.kind);
  }

  /** Fields of the packets captured so far that pass a display filter, as tshark decodes them. */
  async decoded(filter: string, fields: string[]): Promise<string[][]> {
    const file = join(this.folder, 'bgp.pcap');
    return tsharkFields(this.id, file, filter, fields);
  }

  /** Ends the capture; returns the path of its file, which is removed with the bench. */
  async endCapture(): Promise<string | undefined> {
    return this.#capture?.end();
  }

  async #killRouter(): Promise<void> {
    for (const daemon of [...this.router.daemons].reverse()) if (daemon.pid) await daemon.kill();
  }

  /** Stops and removes everything; returns a text for each failure. */
  async close(): Promise<string[]> {
    await this.#speaker?.kill();
    await this.#observer?.kill();
    return this.#undo.run();
  }
}

function upLines({ ipv4, ipv6 }: Addresses): string[] {
  return [`addr add ${ipv4}/24 dev eth0`, `addr add ${ipv6}/64 dev eth0 nodad`, 'link set eth0 up'];
}
