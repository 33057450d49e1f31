/** A node for tests: a network namespace with an address, PodService in its own process, and namespaces of pods. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildPlugin } from '@flatroute/cni/build.ts';
import type { PodView } from '@flatroute/common/http/api-documents.ts';
import type { RangeUsage } from '../../ipam/allocator.ts';
import type { HarnessOptions } from './harness.ts';

export const NODE_ADDRESS = '10.0.0.1';
const HARNESS = new URL('./harness.ts', import.meta.url).pathname;
let count = 0;

/** Ranges are text in the harness's JSON. */
type JsonOf<T> = { [K in keyof T]: T[K] extends number ? number : string };

/** Runs a command; throws an Error with its error output if it fails. */
export function run(command: string, ...parameters: string[]): string {
  const result = spawnSync(command, parameters, { encoding: 'utf8' });
  if (result.status !== 0)
    throw new Error(`${command} ${parameters.join(' ')}: ${result.stderr || result.error}`);
  return result.stdout;
}

/** Everything that the plugin may print: an error, a result, or the answer to VERSION. */
export interface PluginOutput {
  cniVersion?: string;
  code?: number;
  msg?: string;
  details?: string;
  interfaces?: { name: string; mac: string; sandbox?: string; mtu?: number }[];
  ips?: { address: string; gateway: string; interface: number; version?: string }[];
  routes?: { dst: string; gw: string }[];
  dns?: object;
  supportedVersions?: string[];
}

/** The output and the exit code of the plugin. */
export interface PluginRun {
  exitCode: number;
  /** Its output; empty if it printed nothing. */
  json: PluginOutput;
  stdout: string;
  ms: number;
}

/** Executes the plugin as a runtime does. */
async function execPlugin(environment: Record<string, string>, stdin: string): Promise<PluginRun> {
  const plugin = await buildPlugin();
  const start = performance.now();
  return new Promise((resolve) => {
    const child = execFile(plugin, { env: environment, maxBuffer: 8 << 20 }, (error, stdout) => {
      const exitCode = error ? Number(error.code ?? -1) : 0;
      const json = (stdout.trim() === '' ? {} : JSON.parse(stdout)) as PluginOutput;
      resolve({ exitCode, json, stdout, ms: performance.now() - start });
    });
    child.stdin?.on('error', () => {}); // the plugin may end without reading
    child.stdin?.end(stdin);
  });
}

export class TestNode {
  readonly name = `frp${process.pid}-${count++}`;
  readonly folder = mkdtempSync(join(tmpdir(), 'flatroute-pods-'));
  readonly socket = join(this.folder, 'cni.sock');
  /** Override the options of the service from its next start on. */
  options: Partial<HarnessOptions>;
  errors = '';
  #process: ChildProcess | undefined;
  #answers: ((line: string) => void)[] = [];
  readonly #namespaces: string[] = [];

  constructor(options: Partial<HarnessOptions> = {}) {
    this.options = options;
    this.#addNamespace(this.name);
    this.ip('link set lo up');
    this.ip('link add up0 type veth peer name up1');
    this.ip(`addr add ${NODE_ADDRESS}/24 dev up0`);
    this.ip('link set up0 up');
    this.ip('link set up1 up');
    this.exec('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  }

  get stateDir(): string {
    return join(this.folder, 'state');
  }

  get journal(): string {
    return join(this.stateDir, 'allocations.journal');
  }

  /** Starts the service and waits until it serves; rejects with its error output if it ends instead. */
  async start(): Promise<void> {
    const options: HarnessOptions = {
      stateDir: this.stateDir,
      cniSocket: this.socket,
      podCIDRs: ['10.244.1.0/26'],
      nodeAddress: NODE_ADDRESS,
      mtu: null,
      quarantineSeconds: 0,
      ...this.options,
    };
    const parameters = [`--net=/run/netns/${this.name}`, process.execPath, HARNESS, JSON.stringify(options)];
    const child = spawn('nsenter', parameters, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process = child;
    this.errors = '';
    child.stderr.on('data', (text) => {
      this.errors += text;
    });
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => (line === 'ready' ? resolve() : this.#answers.shift()?.(line)));
      child.on('exit', (code) => {
        for (const answer of this.#answers.splice(0)) answer('{"error":"the service ended"}');
        reject(new Error(`the service ended with ${code}: ${this.errors}`));
      });
    });
  }

  /** Ends the service with a signal and waits for its exit. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    child.kill(signal);
    return ended;
  }

  /** Asks the service; see harness.ts. Rejects with its error. */
  async ask<T>(line: string): Promise<T> {
    const answer = await new Promise<string>((resolve) => {
      this.#answers.push(resolve);
      this.#process?.stdin?.write(`${line}\n`);
    });
    const { ok, error } = JSON.parse(answer) as { ok: T; error?: string };
    if (error !== undefined) throw new Error(error);
    return ok;
  }

  list(): Promise<PodView[]> {
    return this.ask('list');
  }

  ranges(): Promise<JsonOf<RangeUsage>[]> {
    return this.ask('ranges');
  }

  /** Runs `ip` in the node's namespace. */
  ip(line: string): string {
    return run('ip', '-n', this.name, ...line.split(' '));
  }

  /** Runs a command in the node's network namespace. */
  exec(command: string, ...parameters: string[]): string {
    return run('nsenter', `--net=/run/netns/${this.name}`, command, ...parameters);
  }

  /** Runs `ip` in a pod's namespace. */
  podIp(pod: number, line: string): string {
    return run('ip', '-n', `${this.name}-p${pod}`, ...line.split(' '));
  }

  /** Names of the pods' links on the node. */
  links(): string[] {
    const links = JSON.parse(this.ip('-json link show')) as { ifname: string; group: string }[];
    return links.filter(({ ifname }) => /^fr/.test(ifname)).map(({ ifname }) => ifname);
  }

  netns(pod: number): string {
    return `/run/netns/${this.name}-p${pod}`;
  }

  /** Creates the namespaces of pods, as a runtime does. */
  addPods(...pods: number[]): void {
    for (const pod of pods) this.#addNamespace(`${this.name}-p${pod}`);
  }

  removePod(pod: number): void {
    run('ip', 'netns', 'del', `${this.name}-p${pod}`);
  }

  /** Executes the plugin for a pod. `environment` and `config` override those of a runtime. */
  plugin(
    command: string,
    pod: number,
    config: object = {},
    environment: Record<string, string> = {},
  ): Promise<PluginRun> {
    const whole = { cniVersion: '1.0.0', name: 'flatroute', type: 'flatroute', ...config };
    return this.pluginRaw(command, pod, JSON.stringify(whole), environment);
  }

  /** The same with any text as configuration. */
  pluginRaw(
    command: string,
    pod: number,
    stdin: string,
    environment: Record<string, string> = {},
  ): Promise<PluginRun> {
    const variables = {
      FLATROUTE_CNI_SOCKET: this.socket,
      CNI_COMMAND: command,
      CNI_CONTAINERID: `container-${pod}`,
      CNI_NETNS: this.netns(pod),
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/opt/cni/bin',
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAME=pod-${pod};K8S_POD_NAMESPACE=default`,
      ...environment,
    };
    return execPlugin(variables, stdin);
  }

  /** Pings from a namespace; returns how many of `times` were answered. */
  ping(from: 'node' | number, to: string, times = 1): number {
    const name = from === 'node' ? this.name : `${this.name}-p${from}`;
    const parameters = [
      `--net=/run/netns/${name}`,
      'ping',
      '-n',
      '-q',
      '-i',
      '0.01',
      '-W',
      '1',
      '-c',
      String(times),
      to,
    ];
    const { stdout } = spawnSync('nsenter', parameters, { encoding: 'utf8' });
    return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  }

  /** Ends the service and removes its namespaces and files. */
  async remove(): Promise<void> {
    await this.end('SIGKILL');
    for (const name of this.#namespaces) spawnSync('ip', ['netns', 'del', name]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #addNamespace(name: string): void {
    run('ip', 'netns', 'add', name);
    this.#namespaces.push(name);
  }
}

/** Waits until a condition holds, for work in the background. Rejects after 20 s and names it. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`did not happen: ${what}`);
}
