/** Lowers the engine's threads and tells how nice each thread is. */
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { lowerHelperThreads } from '../helper-threads.ts';

const lowered = lowerHelperThreads();
const name = (thread: string) => readFileSync(`/proc/self/task/${thread}/comm`, 'utf8');
const helpers = readdirSync('/proc/self/task').filter((thread) => name(thread).startsWith('V8Worker'));
console.log(
  JSON.stringify({ lowered, helpers: helpers.map((id) => getPriority(Number(id))), main: getPriority() }),
);
