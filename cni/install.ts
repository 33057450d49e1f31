/** Installs the plugin where container runtimes look for it: `flatroute cni install`. */
import { randomUUID } from 'node:crypto';
import { access, chmod, copyFile, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The plugin as `npm run build` leaves it (build.ts). */
export const PLUGIN_BINARY = fileURLToPath(new URL('./build/flatroute', import.meta.url));
/** The socket that the plugin uses if no other one is configured; shim.c has the same default. */
export const DEFAULT_CNI_SOCKET = '/run/flatroute/cni.sock';
/** sun_path of sockaddr_un holds 108 bytes with the ending zero (unix(7)). */
const SOCKET_PATH_MAX = 107;

/** Where to install; the defaults suit most runtimes. */
export interface InstallOptions {
  /** Folder of the runtime's plugins; /opt/cni/bin by default. */
  binDir?: string;
  /** Folder of the runtime's network configurations; /etc/cni/net.d by default. */
  confDir?: string;
  /** The agent's CNI socket (`cni.socket` of agent.yaml); DEFAULT_CNI_SOCKET by default. */
  socket?: string;
  /** The built plugin; PLUGIN_BINARY by default. */
  binary?: string;
}

/** Flushes a file or folder to the disk. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a file durably. `write` writes a temporary file beside it, which is then renamed: a reader sees the old file or
 * the new one, never a part.
 */
async function replaceFile(
  path: string,
  mode: number,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.flatroute.${randomUUID()}.tmp`);
  try {
    await write(temporary);
    await chmod(temporary, mode);
    await sync(temporary);
    await rename(temporary, path);
    await sync(folder);
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Installs the file that names the agent's socket, the plugin and the network configuration, in this order, so that a
 * runtime sees the network only when the plugin can serve it. Repeating it does no harm. Only copies: the plugin must
 * have been built.
 * @returns the files that it wrote.
 * @throws Error if the plugin is not built, the socket's path is not usable, or a file cannot be written
 */
export async function installPlugin(options: InstallOptions = {}): Promise<string[]> {
  const { binDir = '/opt/cni/bin', confDir = '/etc/cni/net.d', socket = DEFAULT_CNI_SOCKET } = options;
  const { binary = PLUGIN_BINARY } = options;
  if (!isAbsolute(socket) || Buffer.byteLength(socket) > SOCKET_PATH_MAX || /[\r\n]/.test(socket)) {
    throw new Error(
      `socket ${JSON.stringify(socket)}: must be an absolute path of at most ${SOCKET_PATH_MAX} bytes`,
    );
  }
  await access(binary).catch(() => {
    throw new Error(
      `the CNI plugin ${binary} is missing; run "npm run build plugin" where Flatroute is built, and copy the result here`,
    );
  });
  const plugin = join(binDir, 'flatroute');
  const socketFile = `${plugin}.socket`;
  const conflist = join(confDir, '10-flatroute.conflist');
  const template = new URL('./conflist/10-flatroute.conflist', import.meta.url);
  const config = await readFile(template, 'utf8');

  // Runtimes start plugins with their own environment, so a file names a socket other than the default.
  const elsewhere = socket !== DEFAULT_CNI_SOCKET;
  if (elsewhere) await replaceFile(socketFile, 0o644, (temporary) => writeFile(temporary, `${socket}\n`));
  else await rm(socketFile, { force: true });
  await replaceFile(plugin, 0o755, (temporary) => copyFile(binary, temporary));
  await replaceFile(conflist, 0o644, (temporary) => writeFile(temporary, config));
  return elsewhere ? [socketFile, plugin, conflist] : [plugin, conflist];
}
