/** An exclusive lock on a folder, so that no two agents use the same one. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ERRNO, errnoName, lastErrno, tryLock } from '../kernel/libc.ts';

/** Time between two attempts. */
const RETRY_MS = 50;

/** How `lockFolder` waits for another process that is just ending. */
export interface LockWait {
  /** Milliseconds until it gives up; 0 tries once. */
  waitMs: number;
  /** Waits between two attempts; replaced by tests. */
  sleep?: (ms: number) => Promise<unknown>;
}

/**
 * Locks the folder for this process by flock(2) on its file `lock`. The kernel unlocks it when the process ends, however
 * it ends.
 * @returns a function that unlocks.
 * @throws Error with the id of the process that holds the lock
 */
export async function lockFolder(
  folder: string,
  wait: LockWait = { waitMs: 2000 },
): Promise<() => Promise<void>> {
  const path = join(folder, 'lock');
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    for (let waited = 0; !tryLock(file.fd); waited += RETRY_MS) {
      if (lastErrno() !== ERRNO.EAGAIN)
        throw new Error(`${path}: cannot be locked: ${errnoName(lastErrno())}`);
      if (waited >= wait.waitMs) {
        const holder = (await file.readFile('utf8')).trim();
        throw new Error(
          `${folder} is in use by another agent (process ${holder}); give each its own stateDir`,
        );
      }
      await (wait.sleep ?? sleep)(RETRY_MS);
    }
    await file.truncate(0);
    await file.write(`${process.pid}\n`, 0);
    return () => file.close();
  } catch (error) {
    await file.close();
    throw error;
  }
}
