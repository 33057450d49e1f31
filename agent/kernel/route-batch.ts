/** Carrying out a batch of route changes, and reading all routes of one owner. */
import { FLAG, MESSAGE } from './constants.ts';
import { KernelError } from './error.ts';
import { ERRNO } from './libc.ts';
import type { MessageBuilder } from './message.ts';
import type { Netlink } from './netlink.ts';
import {
  buildDeleteRoute,
  buildNewRoute,
  type EncodedTarget,
  formatRoute,
  ROUTE_LENGTH,
  type RouteOwner,
} from './route.ts';
import type { Entry } from './route-entry.ts';
import { fillRouteDump } from './route-request.ts';

const TYPE_OF_SERVICE = 3; // rtm_tos

const NOTHING = { type: 'unicast', attributes: Buffer.alloc(0) } as const;

/** What was written for one entry, and how it went. */
export interface Write {
  entry: Entry;
  /** What was to be installed; null: the route was to be deleted. */
  target: EncodedTarget | null;
  error: KernelError | null;
}

/**
 * Packs what brings the kernel to `entry.desired`.
 *
 * A route is replaced only where ours is known to stand: the kernel's REPLACE takes whatever has the prefix and
 * the metric, whoever installed it.
 */
export function packWrite(builder: MessageBuilder, owner: RouteOwner, entry: Entry, sequence: number): Write {
  const { prefix, metric, desired, installed } = entry;
  if (desired !== null) {
    const mayReplace = installed !== null || entry.takeBack;
    const flags = FLAG.CREATE | (mayReplace ? FLAG.REPLACE : FLAG.EXCLUSIVE);
    buildNewRoute(builder, flags, owner, prefix, metric, desired);
  } else {
    buildDeleteRoute(builder, owner, prefix, metric, installed ?? NOTHING);
  }
  builder.end(sequence);
  return { entry, target: desired, error: null };
}

/** Sends what was packed and fills in the errors. @throws KernelError when the outcome is unknown */
export async function sendWrites(netlink: Netlink, builder: MessageBuilder, writes: Write[]): Promise<void> {
  for (const { index, errno, detail } of await netlink.batch('write routes', builder, writes.length)) {
    const write = writes[index];
    if (write === undefined) continue;
    const { prefix, metric } = write.entry;
    if (write.target === null) {
      const isGone = errno === ERRNO.ESRCH || errno === ERRNO.ENODEV;
      if (!isGone) write.error = new KernelError(`delete route ${prefix} metric ${metric}`, errno, detail);
    } else {
      const inTheWay = errno === ERRNO.EEXIST ? `another route with metric ${metric} is in its place` : '';
      const action = `install route ${formatRoute({ prefix, ...write.target.target })}`;
      write.error = new KernelError(action, errno, detail || inTheWay);
    }
  }
}

/**
 * Shows every route message of `owner`'s to `visit`, in slices: its fixed part begins at `start`.
 * @throws KernelError
 */
export async function dumpRoutes(
  netlink: Netlink,
  owner: RouteOwner,
  visit: (buffer: Buffer, start: number, end: number) => void,
): Promise<void> {
  try {
    await netlink.dumpSliced(
      `list the routes of table ${owner.table}`,
      MESSAGE.GETROUTE,
      ROUTE_LENGTH,
      fillRouteDump(owner),
      (type, buffer, start, end) => {
        // Routes for one type of service are nobody's but their maker's: they are not told apart by prefix and metric.
        if (type !== MESSAGE.NEWROUTE || end - start < ROUTE_LENGTH || buffer[start + TYPE_OF_SERVICE] !== 0)
          return;
        visit(buffer, start, end);
      },
    );
  } catch (error) {
    // A table exists from its first route on.
    if (!(error instanceof KernelError && error.errno === ERRNO.ENOENT)) throw error;
  }
}
