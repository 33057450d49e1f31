/**
 * Ids of the RIB, and how long each of them stays the same thing.
 *
 * A full table has a million routes. As objects they would cost some 100 octets each and a pause of the garbage
 * collector. So a prefix, a path and a set of attributes are numbers, and their fields are columns (column.ts) that are
 * indexed by the number. The brands below exist for the type checker alone: a path cannot be
 * passed where a prefix is expected.
 *
 * Numbers are reused, and nothing keeps a holder of an old number from reading the columns of its successor. So each
 * kind of id has a rule of who keeps it alive:
 *
 * - AttrsId: counted references. `AttributeTable.add` makes a set without any; `retain` and `release` count. A path, a
 *   slot of an Adj-RIB-Out, a policy's memory and an UPDATE that is being processed each retain the sets they name.
 * - PrefixId: counted holds. `PrefixTable.intern` makes a prefix without any; `hold` and `release` count. A prefix is
 *   held once for having paths, once for each Adj-RIB-Out that has it, and once for each queue or set of pending
 *   prefixes that contains it, so that a withdrawal that is owed can still name its prefix.
 * - PathId: owned by one list, that of the paths to its prefix. `FamilyRib` alone adds paths and frees them. A freed
 *   number is reused at once: nothing may keep a path across a change of the RIB.
 * - SourceId: one session, or the stale routes that are left of it. `SourceTable` reuses a number only after all others.
 *
 * The obvious rule, free with the last reference, fails twice. A route that flaps would be removed from the hash table
 * and entered again with every change, and the end of a session with a full table would stop everything for as long as
 * it takes to remove a million entries. So the last `release` only notes the number in a `FreeList`, and the entry stays
 * where it can be found: `find` or `intern` brings it back under its number. `reclaim` removes noted entries that are
 * still unused, a slice at a time, when the speaker is idle (`Routing.reclaim`); and two of them whenever a new
 * number is asked for, so that the table does not grow while there are unused entries. Only a reclaimed number is given
 * to something else. This is why an id may be used between its last release and the next allocation, and no longer.
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
