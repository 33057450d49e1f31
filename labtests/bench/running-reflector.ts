/** A reflector as it is started on a machine, on a loopback address of its own, for as long as a benchmark runs. */
import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabReflector } from '../lab/reflector.ts';
import { folderOf, registerLab, removeAbandonedLabs, removeLab } from '../lab/registry.ts';
import { stopOnSignals } from '../lab/signals.ts';
import { UndoList } from '../lab/undo.ts';
import { until } from '../lab/wait.ts';
import type { Target } from './tcp-neighbour.ts';

/** Neither the port of BGP nor one that the kernel gives to clients. */
const PORT = 1790;
const AS = 65000;

export interface RunningReflector {
  reflector: LabReflector;
  target: Target;
  /** The first half of its clients' addresses. */
  network: string;
  /** Resident memory in MB. */
  memory(): number;
  /** How often it lost its core to another process while it had work (proc(5)). */
  preemptions(): number;
}

/** Starts a reflector, runs `work`, and takes everything down again whatever happens. */
export async function withReflector<T>(work: (running: RunningReflector) => Promise<T>): Promise<T> {
  await removeAbandonedLabs();
  const { id } = registerLab('bench', []);
  const undo = new UndoList();
  undo.push(`lab ${id}`, () => removeLab(id));
  stopOnSignals(() => undo.run());
  try {
    const running = await start(id, undo);
    return await work(running);
  } finally {
    const problems = await undo.run();
    for (const problem of problems) process.stderr.write(`${problem}\n`);
  }
}

async function start(lab: string, undo: UndoList): Promise<RunningReflector> {
  const network = `127.${randomInt(16, 255)}`;
  const address = `${network}.0.1`;
  const folder = join(folderOf(lab), 'rr');
  mkdirSync(folder, { mode: 0o700 });
  const machine = {
    name: 'rr',
    address,
    as: AS,
    clusterId: '1.1.1.1',
    clientRange: `${network}.0.0/16`,
    moreConfig: 'log: { level: warn }\n',
  };
  const reflector = new LabReflector(machine, { lab, folder, holdTimeSeconds: 90, port: PORT });
  undo.push(reflector.daemon.title, () => reflector.daemon.stop());
  reflector.daemon.start();
  await until(`${reflector.daemon.title} to be ready`, () => reflector.ready());
  const memory = () => fromProc(reflector.daemon.pid, 'VmRSS') / 1024;
  const preemptions = () => fromProc(reflector.daemon.pid, 'nonvoluntary_ctxt_switches');
  return { reflector, network, target: { address, port: PORT, as: AS }, memory, preemptions };
}

/** A number of /proc/PID/status. Throws when the process is gone. */
function fromProc(pid: number | undefined, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(status)?.[1]);
}
