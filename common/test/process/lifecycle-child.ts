/** A process for signals. The first argument selects its behaviour. */
import { setTimeout } from 'node:timers/promises';
import { runLifecycle } from '../../process/lifecycle.ts';
import { createLogger } from '../../process/log.ts';

const behaviour = process.argv[2];
const say = (text: string) => process.stdout.write(`${text}\n`);
// Nothing else keeps the process alive.
const alive = setInterval(() => {}, 1000);
let reloads = 0;

runLifecycle({
  log: createLogger({ level: 'info', format: 'json' }),
  stopTimeoutMs: behaviour === 'hang' ? 50 : 60_000,
  stop: async (signal) => {
    say(`stop ${signal}`);
    if (behaviour === 'hang' || behaviour === 'slow') await setTimeout(3_600_000);
    if (behaviour === 'bad-stop') throw new Error('cannot stop');
    clearInterval(alive);
  },
  reload: () => {
    reloads++;
    say(`reload ${reloads}`);
  },
});
if (behaviour === 'throw')
  setImmediate(() => {
    throw new Error('defect');
  });
if (behaviour === 'reject') void Promise.reject(new Error('defect'));
say('ready');
