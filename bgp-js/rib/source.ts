import type { IPAddress } from '../ip/index.ts';

/** From where a path came, as far as routing decides by it. */
export const SourceKind = { local: 0, external: 1, internal: 2, client: 3 } as const;

/** The index of this speaker as a source; octets of attributes that no peer answers for are charged to it. */
export const LOCAL_SOURCE = 0;

/**
 * One origin of paths: this speaker itself (index 0), or one session with a peer. Every session gets a fresh index,
 * so the paths of a session that ended can be swept while the next one already fills.
 */
export interface Source {
  index: number;
  kind: number;
  name: string;
  as: number;
  /** BGP identifier of the peer as an unsigned number; 0 for this speaker. */
  routerId: number;
  /** The peer's address; null for this speaker. */
  address: IPAddress | null;
  /** Prefixes in Adj-RIB-In, those of them that are usable, and those whose path is the best. */
  received: number;
  accepted: number;
  best: number;
  /** Routes that were not taken in because there were too many. */
  dropped: number;
}

/** What a session says of itself as a source. */
export type SourceFields = Pick<Source, 'kind' | 'name' | 'as' | 'routerId' | 'address'>;

const MAX_INDEX = 0xffff;
/** Indices in use in turn while there are few sources. */
const LEAST_RANGE = 255;

/** All sources by index. */
export class SourceTable {
  private readonly list: (Source | undefined)[] = [];
  private cursor = 0;
  private size = 0;

  constructor(localName: string) {
    const none = {
      as: 0,
      routerId: 0,
      address: null,
      received: 0,
      accepted: 0,
      best: 0,
      dropped: 0,
    };
    this.list[LOCAL_SOURCE] = { index: LOCAL_SOURCE, kind: SourceKind.local, name: localName, ...none };
  }

  get(index: number): Source {
    const source = this.list[index];
    if (!source) throw new Error(`no route source ${index}`);
    return source;
  }

  find(index: number): Source | undefined {
    return this.list[index];
  }

  /**
   * Adds a source. Indices are used in turn, so that none is reused soon, within a range that follows the number of
   * sources: tables by index would otherwise grow with every session there ever was. Throws when all are in use.
   */
  add(fields: SourceFields): Source {
    const range = Math.min(MAX_INDEX, Math.max(LEAST_RANGE, 2 * (this.size + 1)));
    for (let tried = 0; tried < range; tried++) {
      this.cursor = this.cursor >= range ? 1 : this.cursor + 1;
      if (this.list[this.cursor]) continue;
      const source = { ...fields, index: this.cursor, received: 0, accepted: 0, best: 0, dropped: 0 };
      this.list[this.cursor] = source;
      this.size++;
      return source;
    }
    throw new Error(`${MAX_INDEX} route sources are in use`);
  }

  remove(index: number): void {
    if (this.list[index]) this.size--;
    this.list[index] = undefined;
  }
}
