/** Best routes of the RIB → entries of the dataplane: the agent's reader of the Loc-RIB. */
import { DirtyQueue, type FamilyRib, formatIPv4, NO_PATH, SourceKind } from 'bgp-js';
import type { Dataplane } from '../dataplane/dataplane.ts';

/** Prefixes looked at in one go: about a millisecond. */
const BATCH = 500;

export class Fib {
  readonly #rib: FamilyRib;
  readonly #dataplane: Dataplane;
  readonly #dirty: DirtyQueue;

  constructor(rib: FamilyRib, dataplane: Dataplane) {
    this.#rib = rib;
    this.#dataplane = dataplane;
    this.#dirty = new DirtyQueue(rib.prefixes);
    rib.addReader(this.#dirty);
  }

  /** Whether changes wait to be handed to the dataplane. */
  get hasWork(): boolean {
    return this.#dirty.size > 0;
  }

  /** Hands some changes to the dataplane; call again while `hasWork`. */
  work(): void {
    for (let i = 0; i < BATCH; i++) {
      const prefix = this.#dirty.take();
      if (prefix < 0) return;
      this.#update(prefix);
      this.#rib.prefixes.release(prefix);
    }
  }

  #update(prefix: number): void {
    const rib = this.#rib;
    const text = rib.format(prefix);
    const best = rib.bestOf(prefix);
    const isLearned = best !== NO_PATH && rib.sources.get(rib.sourceOf(best)).kind !== SourceKind.local;
    if (isLearned) this.#dataplane.set({ prefix: text, nextHops: this.#nextHops(best) });
    else this.#dataplane.delete(text);
  }

  /** The next hops of the best path and of those that are equal to it. */
  #nextHops(best: number): string[] {
    const rib = this.#rib;
    const column = rib.attributes.nextHop.values;
    const nextHops = [formatIPv4(column[rib.attrsOf(best)])];
    for (let path = rib.nextOf(best); path !== NO_PATH; path = rib.nextOf(path)) {
      if (rib.isMultipath(path)) nextHops.push(formatIPv4(column[rib.attrsOf(path)]));
    }
    return nextHops;
  }
}
