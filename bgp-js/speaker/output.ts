/** What is to be sent on a connection: pulled, when there is room for it. */
import type { PeerConnection } from './sessions.ts';

/** Whether there is something to send. */
export function hasOutput({ connection, ribSession }: PeerConnection): boolean {
  if (connection.hasControl) return true;
  if (!ribSession) return false;
  for (const { group, member } of ribSession.ribFamilyList) if (group.hasWork(member)) return true;
  return false;
}

/**
 * Whole messages, about `limit` octets at the most. What is returned counts as sent, and is not to be written to: other
 * connections get the same.
 */
export function takeOutput(
  { connection, ribSession, counters }: PeerConnection,
  limit: number,
): readonly Uint8Array[] {
  let all: readonly Uint8Array[] = connection.takeControl();
  counters.sent += all.length;
  if (!ribSession) return all;
  for (const { group, member } of ribSession.ribFamilyList) {
    const before = member.updatesSent;
    const updates = group.pull(member, limit);
    counters.updatesSent += member.updatesSent - before;
    counters.sent += member.updatesSent - before;
    if (all.length === 0) all = updates;
    else if (updates.length > 0) all = [...all, ...updates];
  }
  return all;
}
