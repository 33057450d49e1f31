/**
 * A lab: a topology in network namespaces of this machine. It is always taken down, also after a failure.
 *
 * `start` sets up, in this order: registry entry (an id and a folder), network (namespaces, links), routers,
 * reflectors, agents and pods. Every step adds its undo to a list. The next lab that starts removes the remains of
 * killed ones.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LabAgent } from './agent.ts';
import { Bird } from './bird.ts';
import { assertBuilt } from './command.ts';
import { Frr } from './frr.ts';
import { createNamespace, ipBatch, namespacesOf, netnsOf } from './netns.ts';
import { buildNetwork, setCable } from './network.ts';
import { callPlugin, cniFailure, type Pod } from './pods.ts';
import { must, processesOf, type Result, type RunOptions, run } from './processes.ts';
import { LabReflector } from './reflector.ts';
import {
  folderOf,
  type LabRecord,
  registerLab,
  removeAbandonedLabs,
  removeLab,
  saveRecord,
} from './registry.ts';
import type { LabRouter } from './router.ts';
import type { LabTopology } from './topology.ts';
import { UndoList } from './undo.ts';
import { until, type WaitOptions } from './wait.ts';

/** Called after each step of the start. */
export type Progress = (step: string, seconds: number) => void;

export class Lab {
  readonly topology: LabTopology;
  readonly agents = new Map<string, LabAgent>();
  /** BIRD and FRR, by machine. */
  readonly routers = new Map<string, LabRouter>();
  readonly reflectors = new Map<string, LabReflector>();
  readonly pods = new Map<string, Pod>();
  readonly #record: LabRecord;
  readonly #progress: Progress;
  readonly #undo = new UndoList();
  readonly #abort = new AbortController();
  #starting: Promise<void> = Promise.resolve();
  #stopping: Promise<string[]> | undefined;

  /** Registers the lab; `start` does everything else. */
  constructor(topology: LabTopology, progress: Progress = () => {}) {
    this.topology = topology;
    this.#progress = progress;
    const machines = topology.machines.map(({ name, role }) => ({ name, role }));
    this.#record = registerLab(topology.name, machines);
    this.#undo.push(`lab ${this.id}`, () => removeLab(this.id));
  }

  /** The lab's id: every namespace is named `ID-NAME`. */
  get id(): string {
    return this.#record.id;
  }

  /** The lab's private folder. */
  get folder(): string {
    return folderOf(this.id);
  }

  /** Starts everything; resolves when all sessions are Established and the first pods are wired. */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    assertBuilt();
    const abandoned = await removeAbandonedLabs();
    if (abandoned.length > 0)
      this.#progress(`removed the remains of killed labs: ${abandoned.join(', ')}`, 0);
    await this.#step('namespaces, bridges and links', () => buildNetwork(this.id, this.topology));
    await this.#step(this.#routerNames(), () => this.#startRouters());
    if (this.topology.machines.some(({ role }) => role === 'reflector')) {
      await this.#step('reflectors ready', () => this.#startReflectors());
    }
    await this.#step('agents ready', () => this.#startAgents());
    await this.#step('BGP sessions Established', () => this.allEstablished({ signal: this.#abort.signal }));
    await this.#step('pods wired by the CNI plugin', () => this.#startPods());
  }

  async #step(what: string, work: () => Promise<void>): Promise<void> {
    this.#abort.signal.throwIfAborted();
    const started = performance.now();
    await work();
    this.#progress(what, (performance.now() - started) / 1000);
  }

  #routerNames(): string {
    return this.topology.machines.some(({ role }) => role === 'frr') ? 'FRR' : 'BIRD';
  }

  async #startRouters(): Promise<void> {
    for (const machine of this.topology.machines) {
      if (machine.role !== 'bird' && machine.role !== 'frr') continue;
      const place = this.#machineOptions(machine.name);
      const router =
        machine.role === 'bird' ? new Bird({ machine, ...place }) : new Frr({ machine, ...place });
      this.routers.set(machine.name, router);
      this.#undo.push(router.title, () => router.stop());
      await router.start();
      await until(`${router.title} to answer`, () => router.answers(), this.#waitOptions);
    }
  }

  async #startReflectors(): Promise<void> {
    for (const machine of this.topology.machines) {
      if (machine.role !== 'reflector') continue;
      const reflector = new LabReflector(machine, this.#machineOptions(machine.name));
      this.reflectors.set(machine.name, reflector);
      this.#undo.push(reflector.daemon.title, () => reflector.daemon.stop());
      reflector.daemon.start();
    }
    for (const name of this.reflectors.keys()) await this.reflectorReady(name);
  }

  async #startAgents(): Promise<void> {
    for (const machine of this.topology.machines) {
      if (machine.role !== 'agent') continue;
      const agent = new LabAgent({ machine, ...this.#machineOptions(machine.name) });
      this.agents.set(machine.name, agent);
      agent.daemon.start();
    }
    // Stops all agents in parallel, because a clean stop takes time.
    this.#undo.push('agents', async () => {
      const ends = await Promise.allSettled([...this.agents.values()].map((agent) => agent.daemon.stop()));
      const failures = ends.flatMap((end) =>
        end.status === 'rejected' ? [(end.reason as Error).message] : [],
      );
      if (failures.length > 0) throw new Error(failures.join('; '));
    });
    await Promise.all([...this.agents.values()].map((agent) => this.agentReady(agent.name)));
  }

  async #startPods(): Promise<void> {
    for (const machine of this.topology.machines) {
      if (machine.role !== 'agent') continue;
      for (const pod of machine.pods) await this.addPod(machine.name, pod);
    }
  }

  #machineOptions(name: string): { lab: string; netns: string; folder: string; holdTimeSeconds: number } {
    const folder = join(this.folder, name);
    mkdirSync(folder, { mode: 0o700 });
    return {
      lab: this.id,
      netns: netnsOf(this.id, name),
      folder,
      holdTimeSeconds: this.topology.holdTimeSeconds,
    };
  }

  get #waitOptions(): WaitOptions {
    return { signal: this.#abort.signal };
  }

  /** Resolves when an agent is ready; rejects with its log when it exits. */
  async agentReady(name: string, timeoutMs = 30_000): Promise<void> {
    const agent = this.agent(name);
    const ready = await until(
      `${agent.daemon.title} to be ready`,
      async () => (agent.daemon.running ? await agent.ready() : 'ended'),
      { timeoutMs, signal: this.#abort.signal },
    );
    if (ready === 'ended') agent.daemon.assertRunning();
  }

  /** Resolves when a reflector accepts sessions; rejects with its log when it exits. */
  async reflectorReady(name: string): Promise<void> {
    const { daemon } = this.reflector(name);
    const ready = await until(
      `${daemon.title} to be ready`,
      async () => (daemon.running ? await this.reflector(name).ready() : 'ended'),
      this.#waitOptions,
    );
    if (ready === 'ended') daemon.assertRunning();
  }

  /** Resolves when every session of every agent and router is Established. */
  async allEstablished(options: WaitOptions = {}): Promise<void> {
    for (const router of this.routers.values()) {
      const wanted = router.machine.peers.length;
      await until(
        `all sessions of ${router.machine.name} to be Established`,
        async () => (await router.establishedPeers()).length === wanted,
        options,
      );
    }
    for (const agent of this.agents.values()) {
      await until(
        `all sessions of ${agent.name} to be Established`,
        async () => (await agent.peers()).every((peer) => peer.state === 'Established'),
        options,
      );
    }
  }

  /** Creates a pod on a node: a namespace, then the plugin's ADD. */
  async addPod(node: string, name: string): Promise<Pod> {
    const netns = await createNamespace(this.id, name);
    const { result, error } = await callPlugin(this.id, this.agent(node), 'ADD', name);
    if (error) throw cniFailure('ADD', name, error);
    if (!result) throw new Error(`CNI ADD of pod ${name} printed no result`);
    const pod = { name, node, netns, address: result.ips[0].address.split('/')[0] };
    this.pods.set(name, pod);
    return pod;
  }

  /** Removes a pod: the plugin's DEL, then the namespace. */
  async deletePod(name: string): Promise<void> {
    const pod = this.pods.get(name);
    if (!pod) throw new Error(`the lab has no pod ${name}`);
    const { error } = await callPlugin(this.id, this.agent(pod.node), 'DEL', name);
    if (error) throw cniFailure('DEL', name, error);
    await must(this.id, ['ip', 'netns', 'del', pod.netns]);
    this.pods.delete(name);
  }

  agent(name: string): LabAgent {
    const agent = this.agents.get(name);
    if (!agent) throw new Error(`the lab has no agent ${name}`);
    return agent;
  }

  reflector(name: string): LabReflector {
    const reflector = this.reflectors.get(name);
    if (!reflector) throw new Error(`the lab has no reflector ${name}`);
    return reflector;
  }

  bird(name: string): Bird {
    const bird = this.routers.get(name);
    if (!(bird instanceof Bird)) throw new Error(`the lab has no BIRD on ${name}`);
    return bird;
  }

  /** BIRD or FRR on a machine. */
  router(name: string): LabRouter {
    const router = this.routers.get(name);
    if (!router) throw new Error(`the lab has no router ${name}`);
    return router;
  }

  /** Runs a program in the namespace of a machine or pod until it exits. */
  run(place: string, command: string[], options: Omit<RunOptions, 'netns'> = {}): Promise<Result> {
    return run(this.id, command, { ...options, netns: netnsOf(this.id, place) });
  }

  /** Like `run`, for a program that must succeed. Returns its standard output. */
  must(place: string, command: string[], options: Omit<RunOptions, 'netns'> = {}): Promise<string> {
    return must(this.id, command, { ...options, netns: netnsOf(this.id, place) });
  }

  /** Runs lines of `ip -batch` in the namespace of a machine or pod. */
  ip(place: string, ...lines: string[]): Promise<void> {
    return ipBatch(this.id, netnsOf(this.id, place), lines);
  }

  /** Unplugs or plugs a machine's cable on a segment. */
  cable(segment: string, machine: string, plugged: boolean): Promise<void> {
    return setCable(this.id, this.topology, segment, machine, plugged);
  }

  /** Adds a step to `stop`, which runs the newest first. */
  onStop(what: string, undo: () => Promise<void>): void {
    this.#undo.push(what, undo);
  }

  /** Writes the addresses of the nodes' pages to lab.json, for `npm run lab -- list`. */
  recordPages(pages: Record<string, string>): void {
    this.#record.pages = pages;
    saveRecord(this.#record);
  }

  /** Whether `stop` was called; errors of steps under way are then expected. */
  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Takes everything down, even during `start`. Returns failures and leftovers, one text for each. */
  stop(): Promise<string[]> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<string[]> {
    this.#abort.abort(new Error('the lab is being stopped'));
    // The caller of `start` has already received its error.
    await this.#starting.catch(() => {});
    const problems: string[] = [];
    for (const name of [...this.pods.keys()]) {
      const pod = this.pods.get(name);
      // If its agent does not run, a pod is removed with its namespace.
      if (pod && this.agent(pod.node).daemon.running) {
        await this.deletePod(name).catch((error: Error) => problems.push(error.message));
      }
    }
    problems.push(...(await this.#undo.run()), ...leftovers(this.id));
    return problems;
  }
}

/** Processes and namespaces of a lab that are left, one text for each. */
export function leftovers(id: string): string[] {
  const processes = processesOf(id).map((pid) => `process ${pid} of lab ${id} still runs`);
  const namespaces = namespacesOf(id).map((netns) => `namespace ${netns} still exists`);
  return [...processes, ...namespaces];
}
