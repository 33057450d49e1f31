/** An exclusive lock on a folder, so that two agents cannot share one. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';

// flock(2): the kernel lets go of it when the process ends, however it ends. Node itself offers no file locks.
const flock = koffi.load(null).func('int flock(int fd, int operation)');
const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = 11;

/**
 * Locks the folder for this process.
 * @param waitMs how long to wait for another process that is just ending.
 * @returns a function that unlocks.
 */
export async function lockFolder(folder: string, waitMs = 2000): Promise<() => Promise<void>> {
  const path = join(folder, 'lock');
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    for (let waited = 0; flock(file.fd, LOCK_EX | LOCK_NB) !== 0; waited += 50) {
      const errno = koffi.errno();
      if (errno !== EWOULDBLOCK) throw new Error(`${path}: cannot be locked (errno ${errno})`);
      if (waited >= waitMs) {
        const holder = (await file.readFile('utf8')).trim();
        throw new Error(
          `${folder} is in use by another agent (process ${holder}); give each its own stateDir`,
        );
      }
      await sleep(50);
    }
    await file.truncate(0);
    await file.write(`${process.pid}\n`, 0);
    return () => file.close();
  } catch (error) {
    await file.close();
    throw error;
  }
}
