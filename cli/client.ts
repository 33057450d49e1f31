/** Requests to a running daemon over its Unix socket. */
import { request } from 'node:http';

/** A failure with a message of one line, and the exit code: 1 for a failed request, 2 for wrong usage. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const TIMEOUT_MS = 15_000;
/** More than the largest page of routes; no Flatroute daemon sends more. */
const MAXIMUM_BYTES = 64 * 1024 * 1024;

/** Fetches one document of `/v1/*`, or posts `text` to it. Throws `CommandError` if the daemon does not answer or refuses. */
export async function fetchDocument<T>(socket: string, path: string, text?: string): Promise<T> {
  const { status, body } = await get(socket, path, text).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(reason(error, socket));
  });
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    throw new CommandError(`the program on ${socket} is not a Flatroute daemon; check --socket`);
  }
  if (status === 200) return document as T;
  const { error } = document as { error?: string };
  throw new CommandError(error ?? `the daemon answered with HTTP status ${status}`, status === 400 ? 2 : 1);
}

function get(socket: string, path: string, text?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const outgoing = request(
      {
        socketPath: socket,
        path,
        method: text === undefined ? 'GET' : 'POST',
        headers: { Host: 'localhost' },
        signal,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > MAXIMUM_BYTES) response.destroy(new Error('the answer is too large'));
          else chunks.push(chunk);
        });
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
        });
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

function reason(error: NodeJS.ErrnoException, socket: string): string {
  const daemon = socket.endsWith('reflector.sock') ? 'reflector' : 'agent';
  const start = `start it with "flatroute ${daemon} --config FILE", or give its socket with --socket`;
  switch (error.code) {
    case 'ENOENT':
      return `the ${daemon} is not running: ${socket} does not exist; ${start}`;
    case 'ECONNREFUSED':
      return `the ${daemon} is not running: nothing listens on ${socket}; ${start}`;
    case 'EACCES':
      return `no permission to open ${socket}; run the command as root`;
    case 'ABORT_ERR':
      return `no answer on ${socket} within ${TIMEOUT_MS / 1000} s; see the log of the ${daemon}`;
    default:
      return `cannot ask the ${daemon} on ${socket}: ${error.message}`;
  }
}
