/** Memory and time of work in this process. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Octets in use after a garbage collection: objects and the buffers behind typed arrays. */
export function memoryInUse(): number {
  // What a first collection finds to be free, some buffers are only told of by the next one.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Runs `work` and returns how long it took, in ms, and how much more memory is in use after it, in octets. */
export function measured(work: () => void): { ms: number; octets: number } {
  const before = memoryInUse();
  const ms = timed(work);
  return { ms, octets: memoryInUse() - before };
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
