import { measureMemory } from 'node:vm';
import type { Routing } from '../rib/routing.ts';

/** After so many connections the heap is collected. */
const CONNECTIONS = 256;

/** What changes and connections leave behind, which is cleared away when there is nothing else to do. */
export class Remains {
  private readonly routing: Routing;
  private readonly now: () => number;
  private readonly collect: () => void;
  /** Connections that ended since the heap was collected. */
  private ended = 0;

  constructor(routing: Routing, now: () => number, collect: () => void = collectHeap) {
    this.routing = routing;
    this.now = now;
    this.collect = collect;
  }

  /** A connection is gone. Its objects, 15 kB, lived long enough for only a full collection to find them. */
  leave(): void {
    this.ended++;
  }

  /** Clears away, until `until` at most; false when there is more. The heap's turn comes when all else is done. */
  clear(until: number): boolean {
    const { routing } = this;
    while (routing.hasRemains) {
      routing.clearRemains();
      if (routing.hasRemains && this.now() >= until) return false;
    }
    if (this.ended >= CONNECTIONS) {
      this.ended = 0;
      this.collect();
    }
    return true;
  }
}

/**
 * Has the engine collect its heap, where the process was started so that this can be asked for. Left to itself it does
 * so when the heap has reached its initial size, which is large so that this does not happen in the middle of changes.
 * To measure memory is to collect in small steps, between and beside other work; `gc` takes 15 ms in one go.
 */
function collectHeap(): void {
  if (globalThis.gc) void measureMemory({ mode: 'summary', execution: 'eager' });
}
