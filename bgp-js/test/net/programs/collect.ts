/** Says whether the heap is collected once many connections have ended; of itself this process would not do so. */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Remains } from '../../../net/remains.ts';
import type { Routing } from '../../../rib/routing.ts';

const LONG_MS = 20_000;
/** So long nothing happens where nothing is to happen. */
const WHILE_MS = 500;

let collected = false;
const isMajor = (entry: object) =>
  'detail' in entry && (entry.detail as { kind: number }).kind === constants.NODE_PERFORMANCE_GC_MAJOR;
new PerformanceObserver((list) => {
  if (list.getEntries().some(isMajor)) collected = true;
}).observe({ entryTypes: ['gc'] });

const remains = new Remains({ hasRemains: false, clearRemains: () => {} } as Routing, () => 0);
for (let i = 0; i < 256; i++) remains.leave();
remains.clear(0);
const end = performance.now() + (globalThis.gc ? LONG_MS : WHILE_MS);
while (!collected && performance.now() < end) await sleep(5);
console.log(collected ? 'collected' : 'left');
