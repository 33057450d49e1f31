/**
 * Ids of the RIB, and how long each of them means the same thing.
 *
 * The problem. A full table has a million routes. As objects they would cost some 100 octets each and long pauses of the
 * garbage collector. So a prefix, a path and a set of attributes are numbers, and their fields are columns (column.ts)
 * that are indexed by the number. Numbers are reused, and whoever keeps an old one for too long reads the fields of
 * another entry. The brands below exist for the type checker alone: a path cannot be passed where a prefix is expected.
 *
 * Who keeps an id alive:
 *
 * - AttrsId: counted references. `AttributeTable.add` makes a set without any; `retain` and `release` count. A path, a
 *   slot of an Adj-RIB-Out, a policy's memory and an UPDATE in processing each retain the sets that they name.
 * - PrefixId: counted holds. `PrefixTable.intern` makes a prefix without any; `hold` and `release` count. A prefix is
 *   held once for having paths, once by each Adj-RIB-Out that has it, and once by each queue or set of pending prefixes
 *   that contains it, so that a withdrawal that is owed can still name its prefix.
 * - PathId: one owner, the list of the paths to its prefix. Only `FamilyRib` adds and frees paths. A freed number is
 *   reused at once, so that nothing may keep a path across a change of the RIB.
 * - SourceId: one session, or the stale routes that are left of it. `SourceTable` uses numbers in turn, and reuses none
 *   while octets of attributes are charged to it.
 *
 * Why the obvious rule, free with the last reference, fails. A route that flaps would be removed from the hash table and
 * added again with every change. And the end of a session with a full table would stop everything until a million entries
 * are removed.
 *
 * How it works. The last `release` only lists the number in a `FreeList`; the entry stays where it is, and `find` or
 * `intern` returns it again under its number. `reclaim` removes listed entries that are still unused: a slice at a time
 * when the speaker is idle (`Routing.reclaim`), and two of them whenever a table needs a new number, so that it does not
 * grow while it has unused entries. Only a reclaimed number is given to another entry. So an id may be used between its
 * last release and the next allocation, and no longer.
 */

declare const brand: unique symbol;
type Id<Name extends string> = number & { readonly [brand]: Name };

/** A prefix of one address family. */
export type PrefixId = Id<'prefix'>;
/** A path of one address family: a prefix as learned from one source. Path identifiers of RFC 7911 are `addPathId`. */
export type PathId = Id<'path'>;
/** A set of path attributes. */
export type AttrsId = Id<'attrs'>;
/** A source of paths: this speaker, or one session with a peer. */
export type SourceId = Id<'source'>;

/** No prefix: look-ups return it for an unknown one. */
export const NO_PREFIX = -1 as PrefixId;
/** No path; ends a list of paths. */
export const NO_PATH = 0 as PathId;
/** No attributes: no route. */
export const NO_ATTRS = 0 as AttrsId;
/** This speaker as a source. Octets of attributes that no peer answers for are charged to it. */
export const LOCAL_SOURCE = 0 as SourceId;
