/**
 * Measures route reflectors side by side: the same work for each daemon, one after the other, in two network namespaces
 * that a veth pair joins. One holds the daemon at 10.200.0.1, the other the neighbours of bgpload from 10.200.1.1 on.
 * Every round measures every daemon, so that a machine that slows down meanwhile slows all of them.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from '../../lab/daemon.ts';
import { createNamespace, deleteNamespaces, ipBatch } from '../../lab/netns.ts';
import { must, repository, run } from '../../lab/processes.ts';
import { makeOuterFolder, registerLab, removeAbandonedLabs, removeLab } from '../../lab/registry.ts';
import { stopOnSignals } from '../../lab/signals.ts';
import { UndoList } from '../../lab/undo.ts';
import { until } from '../../lab/wait.ts';
import { type ComparedProgram, flatrouteOf, isInstalled, OTHERS, prepareDaemon } from './daemons.ts';
import { internetTable } from './internet-table.ts';

const TARGET = '10.200.0.1';
const FIRST_NEIGHBOUR = '10.200.1.1';
/** GoBGP takes seconds to listen on a busy machine. */
const LISTENS_WITHIN_MS = 15_000;
const STOPS_WITHIN_MS = 5000;

/** What bgpload does in a scenario. */
interface Scenario {
  title: string;
  /** Sessions, senders, prefixes of each, and so on. */
  load: readonly string[];
  /** A table that one sender announces. */
  table?: { prefixes: number; sets: number };
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  table: {
    title: 'table: 1,000,000 prefixes in 142,858 sets of attributes through',
    load: words('--sessions 2 --senders 1 --prefixes 1000000 --per-attr 7 --plen 24'),
  },
  internet: {
    title: 'internet: 580,000 prefixes in 90,000 sets as on the Internet through',
    load: words('--sessions 2 --senders 1'),
    table: { prefixes: 580_000, sets: 90_000 },
  },
  pods: {
    title: 'pods: 200 clients × 100',
    load: words('--sessions 200 --prefixes 100 --per-attr 100 --plen 26 --churn 300'),
  },
  cluster: {
    title: 'cluster: 1,000 clients × 10',
    load: words('--sessions 1000 --prefixes 10 --per-attr 10 --plen 26 --churn 100'),
  },
  // For tests of the comparison itself.
  smoke: {
    title: 'smoke: 3 clients × 10',
    load: words('--sessions 3 --prefixes 10 --per-attr 3 --plen 26 --churn 5 --settle 0.1'),
  },
  'smoke-internet': {
    title: 'smoke-internet: 2,000 prefixes in 300 sets through',
    load: words('--sessions 2 --senders 1 --churn 5 --settle 0.1'),
    table: { prefixes: 2000, sets: 300 },
  },
};

/** What is measured; null: the daemon did not get there in time. A scenario without churn has no figures for it. */
export interface Measurement {
  converge_s?: number | null;
  cpu_s?: number | null;
  peak_mb?: number | null;
  churn_p50_ms?: number | null;
  churn_p99_ms?: number | null;
  withdraw_s?: number | null;
}

export type Measured = keyof Measurement;

/** The measurements of one daemon in one scenario, one for each round; none when it is not installed. */
export type Rounds = readonly Measurement[];

/** Rounds by scenario and daemon; ours is named `ours`. */
export type Comparison = Record<string, Record<string, Rounds>>;

export interface CompareOptions {
  scenarios: readonly string[];
  /** Daemons besides ours, by their names in OTHERS. */
  peers: readonly string[];
  rounds: number;
  /** Another checkout of Flatroute, measured as `before`. */
  before?: string;
  /** Further options of bgpload, which override the scenario's. */
  extra: readonly string[];
  seed: number;
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}

/** Runs the comparison. Throws an Error that names what is unknown, or the daemon that did not start. */
export async function compare(options: CompareOptions): Promise<Comparison> {
  const daemons = daemonsOf(options);
  const unknown = options.scenarios.filter((name) => !(name in SCENARIOS));
  if (unknown.length > 0) throw unknownNames('scenario', unknown, Object.keys(SCENARIOS));
  await removeAbandonedLabs();
  const { id } = registerLab('compare', []);
  const undo = new UndoList();
  undo.push(`lab ${id}`, () => removeLab(id));
  stopOnSignals(() => undo.run());
  try {
    const folder = makeOuterFolder(id, 'compare');
    chmodSync(folder, 0o755);
    const program = join(folder, 'bgpload');
    const sources = ['bgpload.c', 'messages.c'].map((name) => join(import.meta.dirname, name));
    await must(id, ['cc', '-O2', '-o', program, ...sources]);
    const comparison: Comparison = {};
    for (const scenario of options.scenarios) {
      const load = [program, ...loadOptions(scenario, folder, options.seed), ...options.extra];
      const rows: Record<string, Measurement[]> = {};
      for (const name of daemons.keys()) rows[name] = [];
      for (let round = 0; round < options.rounds; round++) {
        for (const [name, daemon] of daemons) {
          if (isInstalled(daemon)) rows[name].push(await measure(id, name, daemon, folder, load));
        }
      }
      comparison[scenario] = rows;
    }
    return comparison;
  } finally {
    for (const problem of await undo.run()) process.stderr.write(`${problem}\n`);
  }
}

function daemonsOf({ peers, before }: CompareOptions): Map<string, ComparedProgram> {
  const unknown = peers.filter((name) => !(name in OTHERS));
  if (unknown.length > 0) throw unknownNames('daemon', unknown, Object.keys(OTHERS));
  const daemons = new Map(peers.map((name) => [name, OTHERS[name]]));
  if (before !== undefined) daemons.set('before', flatrouteOf(before));
  return daemons.set('ours', flatrouteOf(repository));
}

const unknownNames = (kind: string, names: readonly string[], known: readonly string[]): Error =>
  new Error(`unknown ${kind} ${names.join(', ')}; there are ${known.join(', ')}`);

/** The options of a scenario; writes its table, if it has one. */
function loadOptions(name: string, folder: string, seed: number): string[] {
  const { load, table } = SCENARIOS[name];
  if (!table) return [...load];
  const file = join(folder, `${name}.updates`);
  writeFileSync(file, internetTable({ ...table, seed, nextHop: FIRST_NEIGHBOUR }).bytes);
  return [...load, '--table', file];
}

/** One daemon, once. */
async function measure(
  lab: string,
  name: string,
  daemon: ComparedProgram,
  parent: string,
  load: readonly string[],
): Promise<Measurement> {
  const folder = join(parent, name);
  mkdirSync(folder, { recursive: true });
  const [target, neighbours] = await makeNetwork(lab);
  const command = await prepareDaemon(name, daemon, folder);
  const process = new Daemon({ lab, title: name, command, netns: target, logFile: join(folder, 'log') });
  try {
    process.start();
    const listener = await until(
      `${name} to listen on port 179`,
      async () => {
        process.assertRunning();
        const { stdout } = await run(lab, ['ss', '-ltnpH', 'sport = :179'], { netns: target });
        return Number(/pid=(\d+)/.exec(stdout)?.[1] ?? 0) || undefined;
      },
      { timeoutMs: LISTENS_WITHIN_MS, intervalMs: 100 },
    );
    const pid = daemon.accounted?.(process.pid ?? listener) ?? listener;
    const fixed = ['--target', TARGET, '--local', FIRST_NEIGHBOUR, '--pid', String(pid), '--timeout', '120'];
    const [program, ...options] = load;
    const result = await run(lab, [program, ...fixed, ...options], {
      netns: neighbours,
      timeoutMs: 15 * 60_000,
    });
    return parseMeasurement(result.stdout);
  } finally {
    // A daemon that does not stop in time is killed; that is not what is measured.
    await process.stop(STOPS_WITHIN_MS).catch(() => {});
    await deleteNamespaces(lab);
  }
}

async function makeNetwork(lab: string): Promise<[target: string, neighbours: string]> {
  const target = await createNamespace(lab, 'target');
  const neighbours = await createNamespace(lab, 'load');
  await ipBatch(lab, target, [
    `link add d0 type veth peer name l0 netns ${neighbours}`,
    `address add ${TARGET}/16 dev d0`,
    'link set d0 up',
  ]);
  const thirds = Array.from({ length: 16 }, (_, index) => index + 1);
  await must(lab, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind'], { netns: neighbours });
  await ipBatch(lab, neighbours, [
    'link set l0 up',
    `address add ${FIRST_NEIGHBOUR}/16 dev l0`,
    ...thirds.map((third) => `route add local 10.200.${third}.0/24 dev lo`),
  ]);
  return [target, neighbours];
}

/** Reads the lines of JSON that bgpload prints. */
export function parseMeasurement(output: string): Measurement {
  const measurement: Measurement = { converge_s: null };
  for (const line of output.split('\n').filter((one) => one.startsWith('{'))) {
    const { phase, ok, seconds, ...more } = JSON.parse(line) as {
      phase: string;
      ok: boolean;
      seconds: number;
    } & Record<string, number>;
    if (phase === 'converge') {
      measurement.converge_s = ok ? seconds : null;
      measurement.cpu_s = more.target_cpu_s;
      measurement.peak_mb = more.target_peak_kb / 1024;
    }
    if (phase === 'churn') {
      measurement.churn_p50_ms = ok ? more.p50_ms : null;
      measurement.churn_p99_ms = ok ? more.p99_ms : null;
    }
    if (phase === 'withdraw') measurement.withdraw_s = ok ? seconds : null;
  }
  return measurement;
}
