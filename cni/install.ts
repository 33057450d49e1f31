/** Puts the plugin where container runtimes look for it: `flatroute cni install`. */
import { randomUUID } from 'node:crypto';
import { chmod, copyFile, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPlugin } from './build.ts';

/** The socket that the plugin uses when nothing else is said. */
export const DEFAULT_CNI_SOCKET = '/run/flatroute/cni.sock';
/** sun_path of sockaddr_un holds 108 bytes with the ending zero (unix(7)). */
const SOCKET_PATH_MAX = 107;

export interface InstallOptions {
  /** Folder of the runtime's plugins; /opt/cni/bin by default. */
  binDir?: string;
  /** Folder of the runtime's network configurations; /etc/cni/net.d by default. */
  confDir?: string;
  /** The agent's CNI socket (`cniSocket` of agent.yaml); DEFAULT_CNI_SOCKET by default. */
  socket?: string;
  /** A plugin that is built already; by default it is built from source when stale. */
  binary?: string;
}

/** Writes beside the target, flushes, and renames: a reader sees the old file or the new one, and never a part. */
async function replaceFile(
  path: string,
  mode: number,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.flatroute.${randomUUID()}.tmp`);
  try {
    await write(temporary);
    await chmod(temporary, mode);
    const file = await open(temporary, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function replaceText(path: string, mode: number, text: string): Promise<void> {
  await replaceFile(path, mode, async (temporary) => {
    const file = await open(temporary, 'w', mode);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  });
}

/**
 * Installs where the plugin finds the agent, the plugin, and the network configuration; in this order, so that a runtime
 * sees the network only when it can be served. Repeats are harmless.
 * @returns the files it wrote.
 */
export async function installPlugin(options: InstallOptions = {}): Promise<string[]> {
  const { binDir = '/opt/cni/bin', confDir = '/etc/cni/net.d', socket = DEFAULT_CNI_SOCKET } = options;
  if (!isAbsolute(socket) || Buffer.byteLength(socket) > SOCKET_PATH_MAX || /[\r\n]/.test(socket)) {
    throw new Error(
      `socket ${JSON.stringify(socket)}: give an absolute path of at most ${SOCKET_PATH_MAX} bytes`,
    );
  }
  const binary = options.binary ?? (await buildPlugin());
  const plugin = join(binDir, 'flatroute');
  const socketFile = `${plugin}.socket`;
  const conflist = join(confDir, '10-flatroute.conflist');
  const template = fileURLToPath(new URL('./conflist/10-flatroute.conflist', import.meta.url));

  // Runtimes start plugins without our environment: another socket than the default is named by a file.
  const elsewhere = socket !== DEFAULT_CNI_SOCKET;
  if (elsewhere) await replaceText(socketFile, 0o644, `${socket}\n`);
  else await rm(socketFile, { force: true });
  await replaceFile(plugin, 0o755, (temporary) => copyFile(binary, temporary));
  await replaceText(conflist, 0o644, await readFile(template, 'utf8'));
  return elsewhere ? [socketFile, plugin, conflist] : [plugin, conflist];
}
