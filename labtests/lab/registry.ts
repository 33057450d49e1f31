/**
 * The folder of running labs. Each lab has a folder in it, named by its id, with `lab.json`, which names its owner. By
 * that the next run finds and removes what a killed owner left.
 */

import { randomInt } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deleteNamespaces } from './netns.ts';
import { killAllOf, startTimeOf } from './processes.ts';

const registry = '/run/flatroute-labs';

/** The content of `lab.json`. */
export interface LabRecord {
  id: string;
  topology: string;
  /** The process that started the lab and takes it down; the start time distinguishes a reused pid. */
  owner: { pid: number; startTime: number };
  started: string;
  machines: { name: string; role: string }[];
  /** Addresses of the nodes' pages on this machine's loopback. */
  pages: Record<string, string>;
}

/** The private folder of a lab. */
export function folderOf(id: string): string {
  return join(registry, id);
}

/** Creates another folder for a daemon whose user cannot enter the lab's own; it is removed with the lab. */
export function makeOuterFolder(id: string, name: string): string {
  return mkdtempSync(join(tmpdir(), `${outerPrefix(id)}${name}-`));
}

const outerPrefix = (id: string) => `flatroute-${id}-`;

/** Reserves a unique id, short because namespaces are named after it, and its folder. */
export function registerLab(topology: string, machines: { name: string; role: string }[]): LabRecord {
  for (;;) {
    mkdirSync(registry, { recursive: true, mode: 0o700 });
    const id = `fl${randomInt(36 ** 4)
      .toString(36)
      .padStart(4, '0')}`;
    try {
      mkdirSync(folderOf(id), { mode: 0o700 });
    } catch (error) {
      // The id is taken, or another run just removed the folder of all labs.
      if (['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) continue;
      throw error;
    }
    const owner = { pid: process.pid, startTime: startTimeOf(process.pid)! };
    const record: LabRecord = {
      id,
      topology,
      owner,
      started: new Date().toISOString(),
      machines,
      pages: {},
    };
    saveRecord(record);
    return record;
  }
}

/** Writes `lab.json`. */
export function saveRecord(record: LabRecord): void {
  writeFileSync(join(folderOf(record.id), 'lab.json'), `${JSON.stringify(record, null, 2)}\n`);
}

/** The labs whose owner is alive, oldest first. */
export function runningLabs(): LabRecord[] {
  return readRecords().flatMap(({ record }) => (record && isAlive(record) ? [record] : []));
}

/** Removes processes, namespaces and folders of labs whose owner has exited. Returns their ids. */
export async function removeAbandonedLabs(): Promise<string[]> {
  const removed: string[] = [];
  for (const { id, record } of readRecords()) {
    if (record ? isAlive(record) : isFresh(id)) continue;
    await removeLab(id);
    removed.push(id);
  }
  return removed;
}

/** Removes everything of a lab. */
export async function removeLab(id: string): Promise<void> {
  await killAllOf(id);
  await deleteNamespaces(id);
  rmSync(folderOf(id), { recursive: true, force: true });
  for (const name of namesIn(tmpdir())) {
    if (name.startsWith(outerPrefix(id))) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  try {
    rmdirSync(registry);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Another lab is running, or another run just removed the folder.
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error;
  }
}

function readRecords(): { id: string; record?: LabRecord }[] {
  const ids = namesIn(registry).filter((name) => /^fl[0-9a-z]{4}$/.test(name));
  const records = ids.map((id) => ({ id, record: readRecord(id) }));
  return records.sort((a, b) => (a.record?.started ?? '').localeCompare(b.record?.started ?? ''));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readRecord(id: string): LabRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(folderOf(id), 'lab.json'), 'utf8')) as LabRecord;
  } catch {
    return undefined; // the owner was killed before or while writing it, or is about to write it
  }
}

function isAlive(record: LabRecord): boolean {
  return startTimeOf(record.owner.pid) === record.owner.startTime;
}

// A folder without a record is being set up right now, or was left by a killed owner.
function isFresh(id: string): boolean {
  const folder = statSync(folderOf(id), { throwIfNoEntry: false }); // another run may have removed it
  return folder === undefined || Date.now() - folder.mtimeMs < 10_000;
}
