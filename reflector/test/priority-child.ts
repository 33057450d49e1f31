/** Raises and lowers priorities, and tells what they are then: nice values, and that of the session. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { lowerHelperThreads, raisePriority } from '../priority.ts';

const [nice = '0', user = ''] = process.argv.slice(2);
if (nice !== '0') setPriority(Number(nice));
if (user !== '') process.setuid?.(Number(user));
const refusal = raisePriority();
const lowered = lowerHelperThreads();
const name = (thread: string) => readFileSync(`/proc/self/task/${thread}/comm`, 'utf8');
const helpers = readdirSync('/proc/self/task').filter((thread) => name(thread).startsWith('V8Worker'));
const autogroup = '/proc/self/autogroup';
const session = existsSync(autogroup) ? readFileSync(autogroup, 'utf8').trim().split(' ').at(-1) : null;
console.log(
  JSON.stringify({
    refusal,
    lowered,
    helpers: helpers.map((id) => getPriority(Number(id))),
    main: getPriority(),
    session: session === null ? null : Number(session),
  }),
);
