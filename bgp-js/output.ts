/** What is to be sent on a connection: pulled, when there is room for it. */
import type { Link } from './sessions.ts';

/** Whether there is something to send. */
export function hasOutput({ connection, attachment }: Link): boolean {
  if (connection.hasControl) return true;
  if (!attachment) return false;
  for (const { group, member } of attachment.channelList) if (group.hasWork(member)) return true;
  return false;
}

/**
 * Whole messages, about `limit` octets at the most. What is returned counts as sent, and is not to be written to: other
 * connections get the same.
 */
export function takeOutput({ connection, attachment, counters }: Link, limit: number): readonly Uint8Array[] {
  let all: readonly Uint8Array[] = connection.takeControl();
  counters.sent += all.length;
  if (!attachment) return all;
  for (const { group, member } of attachment.channelList) {
    const before = member.updatesSent;
    const updates = group.pull(member, limit);
    counters.updatesSent += member.updatesSent - before;
    counters.sent += member.updatesSent - before;
    if (all.length === 0) all = updates;
    else if (updates.length > 0) all = [...all, ...updates];
  }
  return all;
}
