/**
 * Ids of RIB entries, and how long each id stays valid.
 *
 * The problem. A full table has a million routes. As objects they would cost some 100 octets each and long pauses of
 * the garbage collector. So a prefix, a path and a set of attributes are numbers, and their fields are columns
 * (column.ts) that are indexed by the number. Ids are reused: code that keeps an id too long reads the fields of
 * another entry. The brands below exist only for the type checker, which rejects a path id where a prefix id is
 * expected.
 *
 * What keeps an id alive:
 *
 * - AttrsId: a reference count. `AttributeTable.add` starts it at 0; `retain` and `release` change it. A path, a slot
 *   of an Adj-RIB-Out, a policy memo and an UPDATE in processing each retain the attribute sets that they refer to.
 * - PrefixId: a reference count. `PrefixTable.intern` starts it at 0; `hold` and `release` change it. A prefix is held
 *   once while it has paths, once by each Adj-RIB-Out that contains it, and once by each queue or set of pending
 *   prefixes that contains it. So a pending withdrawal can still name its prefix.
 * - PathId: one owner, the list of the paths to its prefix. Only `FamilyRib` adds and frees paths. A freed id is reused
 *   at once, so do not keep a path id across a change of the RIB.
 * - SourceId: one session, or its stale routes after it has ended. `SourceTable` assigns ids in turn, and reuses an id
 *   only when no octets of attributes are charged to it.
 *
 * Why not free an entry with its last reference? A flapping route would be removed from the hash table and added again
 * with every change. And the end of a session with a full table would block the speaker until a million entries are
 * removed.
 *
 * How it works. The last `release` only adds the id to a `FreeList`. The entry stays in its table, and `find` or
 * `intern` can return it again under the same id. `reclaim` removes listed entries that are still unused: a slice at a
 * time when the speaker is idle (`Routing.reclaim`), and two entries whenever a table needs a new id, so that it does
 * not grow while it has unused entries. Only a reclaimed id is assigned to another entry. So an id stays valid from its
 * last release until the next allocation.
 */

declare const brand: unique symbol;
type Id<Name extends string> = number & { readonly [brand]: Name };

/** A prefix of one address family. */
export type PrefixId = Id<'prefix'>;
/** A path of one address family: a prefix as learned from one source. `addPathId` is its RFC 7911 identifier. */
export type PathId = Id<'path'>;
/** A set of path attributes. */
export type AttrsId = Id<'attrs'>;
/** A source of paths: this speaker, or one session with a peer. */
export type SourceId = Id<'source'>;

/** No prefix: the result of a lookup that finds none. */
export const NO_PREFIX = -1 as PrefixId;
/** No path; ends a list of paths. */
export const NO_PATH = 0 as PathId;
/** No attributes: no route. */
export const NO_ATTRS = 0 as AttrsId;
/** This speaker as a source. It is charged for attributes that no peer caused. */
export const LOCAL_SOURCE = 0 as SourceId;
