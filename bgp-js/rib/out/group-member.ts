import type { LogReader } from './log-reader.ts';
import type { PendingPrefixes } from './pending-prefixes.ts';
import type { PreviousAdjRibOut } from './previous-adj-rib-out.ts';

/** A peer in an update group: its own routes are not sent back to it. Its position means nothing while it is behind. */
export interface GroupMember extends LogReader {
  /** What the member has yet to be told, when it does not follow the log. */
  behind: PendingPrefixes | null;
  /** It has left the log, and what lies between its position and here is not in `behind` yet. */
  unread: number;
  /** The End-of-RIB marker is owed once the member has caught up for the first time. */
  owesEndOfRib: boolean;
  /** The end of an enhanced route refresh is owed once it has caught up (RFC 7313 §4). */
  owesEndOfRefresh: boolean;
  /** What it was told by the group it came from, until it has caught up here. */
  previous: PreviousAdjRibOut | null;
}

/** A member that was told nothing yet, and reads the log from `position` on. */
export function newMember(source: number, position: number): GroupMember {
  return {
    source,
    position,
    behind: null,
    unread: 0,
    owesEndOfRib: true,
    owesEndOfRefresh: false,
    previous: null,
    updatesSent: 0,
  };
}

/** The first entry of the log that a member still needs. */
export function needsFrom({ behind, position, unread }: GroupMember): number {
  return !behind || position < unread ? position : Number.POSITIVE_INFINITY;
}
