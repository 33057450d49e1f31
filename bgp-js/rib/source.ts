/** Where paths come from: this speaker, or one session with a peer. */
import type { IPAddress } from '../ip/index.ts';
import { LOCAL_SOURCE, type SourceId } from './store/ids.ts';

/** The kinds of sources that routing treats differently. */
export const SourceKind = { local: 0, external: 1, internal: 2, client: 3 } as const;

/**
 * One source of paths. Every session is a source with a new index, so that the paths of an old session can be removed
 * while the next one with the same peer adds its own.
 */
export interface Source {
  index: SourceId;
  /** One of SourceKind. */
  kind: number;
  name: string;
  as: number;
  /** BGP identifier of the peer as an unsigned number; 0 for this speaker. */
  routerId: number;
  /** The peer's address; null for this speaker. */
  address: IPAddress | null;
  /** Paths in Adj-RIB-In, those of them that are usable, and those that are the best of their prefix. */
  received: number;
  accepted: number;
  best: number;
  /** Routes that were dropped because they exceeded the maximum of prefixes. */
  dropped: number;
}

/** A peer as a source of routes. */
export type SourceFields = Pick<Source, 'kind' | 'name' | 'as' | 'routerId' | 'address'>;

const MAX_INDEX = 0xffff;
/** So many indices are used in turn, however few sources exist. */
const LEAST_RANGE = 255;

/** All sources by index. */
export class SourceTable {
  private readonly list: (Source | undefined)[] = [];
  private readonly isCharged: (index: SourceId) => boolean;
  private cursor = 0;
  private size = 0;

  /**
   * @param localName the name of this speaker as a source.
   * @param isCharged whether octets of attributes are still charged to an earlier source of this index, whose sets are
   * shared by others: a new peer must not be charged with them.
   */
  constructor(localName: string, isCharged: (index: SourceId) => boolean = () => false) {
    this.isCharged = isCharged;
    const fields = { kind: SourceKind.local, name: localName, as: 0, routerId: 0, address: null };
    this.list[LOCAL_SOURCE] = newSource(LOCAL_SOURCE, fields);
  }

  /** The source of this index. Throws when it is not in use. */
  get(index: SourceId): Source {
    const source = this.list[index];
    if (!source) throw new Error(`no route source ${index}`);
    return source;
  }

  /** The source of this index; undefined when it is not in use. */
  find(index: SourceId): Source | undefined {
    return this.list[index];
  }

  /**
   * Adds a source. Indices are used in turn, so that none is reused soon, within a range that follows the number of
   * sources: tables by index would otherwise grow with every session there ever was. Throws when all are in use.
   */
  add(fields: SourceFields): Source {
    for (let range = Math.max(LEAST_RANGE, 2 * (this.size + 1)); ; range *= 2) {
      const index = this.freeIndex(Math.min(MAX_INDEX, range));
      if (index === LOCAL_SOURCE && range >= MAX_INDEX)
        throw new Error(`${MAX_INDEX} route sources are in use`);
      if (index === LOCAL_SOURCE) continue;
      const source = newSource(index, fields);
      this.list[index] = source;
      this.size++;
      return source;
    }
  }

  /** The next free index up to `range`, or LOCAL_SOURCE. */
  private freeIndex(range: number): SourceId {
    for (let tried = 0; tried < range; tried++) {
      this.cursor = this.cursor >= range ? 1 : this.cursor + 1;
      const index = this.cursor as SourceId;
      if (!this.list[index] && !this.isCharged(index)) return index;
    }
    return LOCAL_SOURCE;
  }

  /** Frees an index; no path may refer to it any more. */
  remove(index: SourceId): void {
    if (this.list[index]) this.size--;
    this.list[index] = undefined;
  }
}

function newSource(index: SourceId, fields: SourceFields): Source {
  return { ...fields, index, received: 0, accepted: 0, best: 0, dropped: 0 };
}
