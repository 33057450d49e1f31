/** A process that fills a speaker and reports to its parent by how many octets its memory grew. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LocalSpeaker } from './local-speaker.ts';
import type { MemoryOf } from './memory.ts';
import { RouteSpace } from './routes.ts';
import { tableBytes } from './tables.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as (options: object) => void;

/** Clients are objects, which may fit into pages that the process already has; so their memory is the heap in use. */
function memory(of: string): number {
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { rss, heapUsed, external } = process.memoryUsage();
  return of === 'clients' ? heapUsed + external : rss;
}

/** Prepares the speaker, and returns the function to measure. */
const PREPARATIONS: Record<MemoryOf, (count: number) => () => void> = {
  routes(count) {
    const local = new LocalSpeaker();
    const client = local.establish(0);
    const bytes = tableBytes(spaceOf(count), [0, count]);
    return () => local.send(client, bytes);
  },
  paths(count) {
    const local = new LocalSpeaker();
    const [first, second] = [local.establish(0), local.establish(1)];
    local.send(first, tableBytes(spaceOf(count), [0, count]));
    const bytes = tableBytes(spaceOf(count), [0, count], { nextHop: '10.201.0.2', base: count + 1 });
    return () => local.send(second, bytes);
  },
  clients(count) {
    const local = new LocalSpeaker();
    // The first few compile the code and create the first update group.
    for (let index = 0; index < 10; index++) local.establish(index);
    return () => {
      for (let index = 10; index < 10 + count; index++) local.establish(index);
    };
  },
};

function spaceOf(count: number): RouteSpace {
  return new RouteSpace(count, 24);
}

const [of, count] = process.argv.slice(2);
const work = PREPARATIONS[of as MemoryOf](Number(count));
const before = memory(of);
work();
process.send?.(memory(of) - before, () => process.disconnect());
