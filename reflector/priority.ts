/** Who has a core first where there are few: the main thread, then other processes, then the engine's threads. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

const THREADS = '/proc/self/task';
/** The kernel weighs sessions first, processes within them second (sched(7), "The autogroup feature"). */
const AUTOGROUP = '/proc/self/autogroup';
/** What FRR's unit has (`Nice=-5`): peers wait for a routing protocol, and give it up when its hold timer expires. */
const PRIORITY = -5;

/**
 * Raises the priority of the process, unless it was started with one of its own: where a busy process shares its core,
 * it would have to wait 4 ms for it, a few times in a row. Returns why it may not, or null.
 */
export function raisePriority(): string | null {
  if (getPriority() !== 0) return null;
  try {
    setPriority(PRIORITY);
    if (leadsSession()) writeFileSync(AUTOGROUP, String(PRIORITY));
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A kernel without that feature needs no more.
    return code === 'ENOENT' ? null : message;
  }
}

/** Whether the session, whose weight would change as a whole, is the process's own (proc_pid_stat(5)). */
function leadsSession(): boolean {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const [, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(session) === process.pid;
}

/**
 * Has the engine's threads, which compile and collect, give way to the main thread: they would take the core that it
 * runs on, for 4 ms at a time. Returns how many there are.
 */
export function lowerHelperThreads(): number {
  const isHelper = (thread: string) =>
    readFileSync(`${THREADS}/${thread}/comm`, 'utf8').startsWith('V8Worker');
  const helpers = readdirSync(THREADS).filter(isHelper);
  for (const thread of helpers) setPriority(Number(thread), constants.priority.PRIORITY_LOW);
  return helpers.length;
}
