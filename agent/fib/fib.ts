/** From the best paths of the Loc-RIB to the entries of the dataplane. */
import {
  DirtyQueue,
  type FamilyRib,
  NO_PATH,
  NO_PREFIX,
  type PathId,
  type PrefixId,
  SourceKind,
} from 'bgp-js';
import { type IPAddress, IPPrefix } from 'bgp-js/ip';
import type { Dataplane } from '../dataplane/dataplane.ts';

/** Prefixes handled by one call of `work`: about a millisecond. */
const BATCH = 500;
/** A prefix as NLRI: its length and at most 4 octets (RFC 4271 §4.3). */
const NLRI_BYTES = 5;

/** Follows the Loc-RIB of IPv4 unicast: a queue of changed prefixes, which `work` hands to the dataplane. */
export class Fib {
  readonly #rib: FamilyRib;
  readonly #dataplane: Dataplane;
  readonly #dirty: DirtyQueue;
  readonly #nlri = new Uint8Array(NLRI_BYTES);
  #scheduled = false;

  constructor(rib: FamilyRib, dataplane: Dataplane) {
    this.#rib = rib;
    this.#dataplane = dataplane;
    this.#dirty = new DirtyQueue(rib.prefixes);
    rib.addReader(this.#dirty);
  }

  /** Hands all queued changes to the dataplane, a batch in each turn of the event loop. */
  schedule(): void {
    if (this.#scheduled || !this.hasWork) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.work();
      this.schedule();
    });
  }

  /** Whether changes are queued. */
  get hasWork(): boolean {
    return this.#dirty.size > 0;
  }

  /** Hands up to `BATCH` changes to the dataplane. */
  work(): void {
    for (let i = 0; i < BATCH; i++) {
      const id = this.#dirty.take();
      if (id === NO_PREFIX) return;
      this.#update(id);
      this.#rib.prefixes.release(id);
    }
  }

  #update(id: PrefixId): void {
    const rib = this.#rib;
    rib.prefixes.write(id, this.#nlri, 0);
    const prefix = IPPrefix.readNlri(this.#nlri, 0, 4);
    const best = rib.bestOf(id);
    const isLearned = best !== NO_PATH && rib.sources.get(rib.sourceOf(best)).kind !== SourceKind.local;
    const nextHops = isLearned ? this.#nextHops(best) : [];
    if (nextHops.length > 0) this.#dataplane.set({ prefix, nextHops });
    else this.#dataplane.delete(prefix);
  }

  /** The next hops of the best path and of its multipaths. */
  #nextHops(best: PathId): IPAddress[] {
    const rib = this.#rib;
    const nextHops: IPAddress[] = [];
    const add = (path: PathId): void => {
      const nextHop = rib.attributes.nextHopOf(rib.attrsOf(path));
      if (nextHop) nextHops.push(nextHop);
    };
    add(best);
    for (let path = rib.nextOf(best); path !== NO_PATH; path = rib.nextOf(path)) {
      if (rib.isMultipath(path)) add(path);
    }
    return nextHops;
  }
}
