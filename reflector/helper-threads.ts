/** The engine's threads, which compile and collect beside the main one. */
import { readdirSync, readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

const THREADS = '/proc/self/task';

/**
 * Has them give way to the main thread, which the clients wait for: where there are few cores they would take the one
 * that it runs on, for 4 ms at a time. Returns how many there are.
 */
export function lowerHelperThreads(): number {
  const isHelper = (thread: string) =>
    readFileSync(`${THREADS}/${thread}/comm`, 'utf8').startsWith('V8Worker');
  const helpers = readdirSync(THREADS).filter(isHelper);
  for (const thread of helpers) setPriority(Number(thread), constants.priority.PRIORITY_LOW);
  return helpers.length;
}
