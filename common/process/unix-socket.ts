/** Unix sockets that only their owner can open. */
import { once } from 'node:events';
import { lstat, mkdir, unlink } from 'node:fs/promises';
import { createConnection, type Server } from 'node:net';
import { dirname } from 'node:path';

/**
 * Makes a server listen on a Unix socket of mode 0600, and creates its folder (0700) if it is missing. The socket of a
 * process that has ended is replaced. Throws if a running process listens there, or if the path is not a socket.
 */
export async function listenUnix(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await removeStale(path);
  // libuv binds inside listen(), so with this mask the socket never exists with a wider mode.
  const mask = process.umask(0o177);
  try {
    server.listen({ path });
  } finally {
    process.umask(mask);
  }
  try {
    await once(server, 'listening');
  } catch (error) {
    // Another process has bound it since removeStale().
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw inUse(path);
    throw new Error(`cannot listen on ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function inUse(path: string): Error {
  return new Error(`${path} belongs to a running process; stop that one or configure another path`);
}

async function removeStale(path: string): Promise<void> {
  const stat = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (stat === undefined) return;
  if (!stat.isSocket())
    throw new Error(`${path} exists and is not a socket; remove it or configure another path`);
  if (await hasListener(path)) throw inUse(path);
  await unlink(path);
}

async function hasListener(path: string): Promise<boolean> {
  const probe = createConnection({ path });
  try {
    await once(probe, 'connect');
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return false;
    throw error;
  } finally {
    probe.destroy();
  }
}
