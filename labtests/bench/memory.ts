/** Time of work in this process, and memory of work in a process of its own. */
import { fork } from 'node:child_process';
import { join } from 'node:path';

/** Whose memory can be measured; memory-child.ts knows how. */
export type MemoryOf = 'routes' | 'paths' | 'clients';

/**
 * By how much the memory of a fresh process grows with so many routes, further paths, or clients; in octets. Of tables,
 * what is reserved and was never written to does not count, and nothing that was freed before is mistaken for growth.
 */
export function memoryGrowth(of: MemoryOf, count: number): Promise<number> {
  const child = fork(join(import.meta.dirname, 'memory-child.ts'), [of, String(count)]);
  return new Promise((resolve, reject) => {
    child.once('message', (octets) => resolve(Number(octets)));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the measurement of ${of} ended with exit code ${code}`)));
  });
}

/** How long `work` takes, in ms. */
export function timed(work: () => void): number {
  const begin = performance.now();
  work();
  return performance.now() - begin;
}

/** The least time of `rounds` runs, in ms: what the machine did besides only adds. */
export function fastest(rounds: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) least = Math.min(least, timed(work));
  return least;
}
