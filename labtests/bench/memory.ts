/** Measures time in this process, and memory in a process of its own. */
import { fork } from 'node:child_process';
import { join } from 'node:path';

/** What memory-child.ts can measure. */
export type MemoryOf = 'routes' | 'paths' | 'clients';

/**
 * The growth of a fresh process's memory by a number of routes, further paths, or clients, in octets. Reserved memory that
 * was never written does not count, and a fresh process has no freed memory to reuse.
 */
export function memoryGrowth(of: MemoryOf, count: number): Promise<number> {
  const child = fork(join(import.meta.dirname, 'memory-child.ts'), [of, String(count)]);
  return new Promise((resolve, reject) => {
    child.once('message', (octets) => resolve(Number(octets)));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the measurement of ${of} exited with ${code}`)));
  });
}

/** How long `work` takes, in ms. */
export function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/** The shortest of `rounds` runs, in ms: other work on the machine only adds time. */
export function fastest(rounds: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) least = Math.min(least, timed(work));
  return least;
}
