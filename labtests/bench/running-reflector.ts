/** A reflector for a benchmark, started as on a machine, on its own loopback address. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { LabReflector, type LabReflectorSettings } from '../lab/reflector.ts';
import { folderOf, registerLab, removeAbandonedLabs, removeLab } from '../lab/registry.ts';
import { stopOnSignals } from '../lab/signals.ts';
import { UndoList } from '../lab/undo.ts';
import { until } from '../lab/wait.ts';
import type { TcpTarget } from './tcp-neighbour.ts';

/** Not the port of BGP, and outside the kernel's range of client ports. */
export const REFLECTOR_PORT = 1790;
const AS = 65000;

export interface RunningReflector {
  reflector: LabReflector;
  settings: LabReflectorSettings;
  target: TcpTarget;
  /** The first half of its clients' addresses. */
  network: string;
  /** Resident memory in MB. */
  memory(): number;
  /** How often the kernel preempted it (proc(5), nonvoluntary_ctxt_switches). */
  preemptions(): number;
}

/** Settings of one reflector that differ from the default. */
export type Particulars = Partial<LabReflectorSettings>;

/** Starts a reflector, runs `work`, and stops everything whatever happens. */
export function withReflector<T>(
  work: (running: RunningReflector) => Promise<T>,
  particulars: Particulars = {},
): Promise<T> {
  return withReflectors([() => particulars], ([running]) => work(running));
}

/** The same with several reflectors; the settings of each may depend on the addresses of all. */
export async function withReflectors<T>(
  wanted: readonly ((addresses: readonly string[]) => Particulars)[],
  work: (running: readonly RunningReflector[]) => Promise<T>,
): Promise<T> {
  await removeAbandonedLabs();
  const { id } = registerLab('bench', []);
  const undo = new UndoList();
  undo.push(`lab ${id}`, () => removeLab(id));
  stopOnSignals(() => undo.run());
  try {
    const network = await freeNetwork();
    const addresses = wanted.map((_, index) => `${network}.0.${index + 1}`);
    const running = wanted.map((particulars, index) => {
      const settings = settingsOf(network, addresses[index], particulars(addresses));
      return start(id, undo, network, settings);
    });
    return await work(await Promise.all(running));
  } finally {
    const problems = await undo.run();
    for (const problem of problems) process.stderr.write(`${problem}\n`);
  }
}

/** The first half of loopback addresses that no other run uses. */
async function freeNetwork(): Promise<string> {
  for (;;) {
    const network = `127.${randomInt(16, 255)}`;
    const server = createServer().listen({ host: `${network}.0.1`, port: REFLECTOR_PORT });
    const free = await once(server, 'listening').then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') throw error;
        return false;
      },
    );
    server.close();
    if (free) return network;
  }
}

/** Settings of a reflector for clients from `network`. */
function settingsOf(network: string, address: string, particulars: Particulars): LabReflectorSettings {
  return {
    name: `rr${address.split('.')[3]}`,
    address,
    as: AS,
    clusterId: '1.1.1.1',
    clientRange: `${network}.0.0/16`,
    moreConfig: 'log: { level: warn }\n',
    ...particulars,
  };
}

async function start(
  lab: string,
  undo: UndoList,
  network: string,
  settings: LabReflectorSettings,
): Promise<RunningReflector> {
  const folder = join(folderOf(lab), settings.name);
  mkdirSync(folder, { mode: 0o700 });
  const reflector = new LabReflector(settings, { lab, folder, holdTimeSeconds: 90, port: REFLECTOR_PORT });
  undo.push(reflector.daemon.title, () => reflector.daemon.stop());
  reflector.daemon.start();
  await until(`${reflector.daemon.title} to be ready`, () => reflector.ready());
  return {
    reflector,
    settings,
    network,
    target: { address: settings.address, port: REFLECTOR_PORT, as: AS },
    memory: () => fromProc(reflector.daemon.pid, 'VmRSS') / 1024,
    preemptions: () => fromProc(reflector.daemon.pid, 'nonvoluntary_ctxt_switches'),
  };
}

/** A number of /proc/PID/status. Throws an Error when the process has exited. */
function fromProc(pid: number | undefined, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(status)?.[1]);
}
