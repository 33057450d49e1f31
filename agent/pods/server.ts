/** The Unix socket on which plugins call: framing, limits, and an answer to everybody. What is answered: service.ts. */
import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import {
  encodeAnswer,
  type PluginAnswer,
  type PluginRequest,
  ProtocolError,
  RequestReader,
} from '@flatroute/cni/protocol.ts';
import { Semaphore } from './concurrency.ts';
import { CniError, CODE, errorAnswer } from './errors.ts';

export interface ServerLimits {
  /** Connections at once; one more is told to try again later. */
  connections: number;
  /** Requests carried out at once; more wait. */
  concurrent: number;
  /** Bytes of requests in memory at once. */
  bytes: number;
  /** Time to send a request, and to take the answer. */
  transferMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  connections: 512,
  concurrent: 64,
  bytes: 32 * 1024 * 1024,
  transferMs: 5000,
};

/** Carries a request out; must not reject. */
export type Handler = (request: PluginRequest) => Promise<PluginAnswer>;

/** sun_path of sockaddr_un holds 108 bytes with the ending zero (unix(7)); the name before the rename is longer. */
const PATH_MAX = 103;

/** Whether somebody accepts connections at this path. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

export class CniServer {
  readonly #path: string;
  readonly #handler: Handler;
  readonly #limits: ServerLimits;
  readonly #limit: Semaphore;
  readonly #server: Server;
  /** Connections whose request is still coming in. */
  readonly #receiving = new Set<Socket>();
  /** Requests being carried out or answered. */
  readonly #working = new Set<Promise<void>>();
  #connections = 0;
  #bytes = 0;
  #inode: bigint | undefined;

  constructor(path: string, handler: Handler, limits: ServerLimits = DEFAULT_LIMITS) {
    this.#path = path;
    this.#handler = handler;
    this.#limits = limits;
    this.#limit = new Semaphore(limits.concurrent);
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Starts to accept. A socket left by a former run is replaced. Throws where somebody answers at the path. */
  async listen(): Promise<void> {
    const path = this.#path;
    if (Buffer.byteLength(path) > PATH_MAX)
      throw new Error(`cniSocket: ${path} is longer than ${PATH_MAX} bytes`);
    await mkdir(dirname(path), { recursive: true });
    if (await isAlive(path))
      throw new Error(`cniSocket: another process serves ${path}; is an agent running already?`);
    // Bound under another name, closed to others, and then renamed: nobody meets it with other permissions.
    const temporary = `${path}.new`;
    await rm(temporary, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(temporary, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    await chmod(temporary, 0o600);
    this.#inode = (await stat(temporary, { bigint: true })).ino;
    await rename(temporary, path);
  }

  /** Stops accepting, and waits until everybody whose request is complete has his answer. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#receiving) socket.destroy();
    while (this.#working.size > 0) await Promise.all(this.#working);
    await closed;
    if (this.#inode === undefined) return;
    const found = await stat(this.#path, { bigint: true }).catch(() => undefined);
    if (found?.ino === this.#inode) await rm(this.#path, { force: true });
  }

  #accept(socket: Socket): void {
    this.#connections++;
    let reserved = 0;
    const deadline = setTimeout(() => {
      refuse(new CniError(CODE.IO_FAILURE, `no complete request within ${this.#limits.transferMs} ms`));
    }, this.#limits.transferMs);
    const received = (): void => {
      clearTimeout(deadline);
      this.#receiving.delete(socket);
      socket.off('data', onData);
    };
    const refuse = (error: unknown): void => {
      received();
      this.#send(socket, errorAnswer(error));
      socket.resume();
    };
    const reader = new RequestReader();
    const onData = (chunk: Buffer): void => {
      try {
        const request = reader.push(chunk);
        if (reserved === 0 && reader.size !== undefined) {
          if (this.#bytes + reader.size > this.#limits.bytes)
            throw busy('too much of other requests in memory');
          reserved = reader.size;
          this.#bytes += reserved;
        }
        if (request === undefined) return;
        received();
        // Read on, so that the end of the connection is seen; nothing more may come.
        socket.resume();
        this.#work(socket, request);
      } catch (error) {
        refuse(error instanceof ProtocolError ? new CniError(CODE.DECODE_FAILURE, error.message) : error);
      }
    };
    socket.on('error', () => {}); // the other side went away; 'close' follows
    socket.on('close', () => {
      received();
      this.#connections--;
      this.#bytes -= reserved;
    });
    if (this.#connections > this.#limits.connections) {
      refuse(busy(`${this.#limits.connections} other calls are under way`));
      return;
    }
    this.#receiving.add(socket);
    socket.on('data', onData);
    socket.on('end', () => {
      if (this.#receiving.has(socket)) socket.destroy();
    });
  }

  #work(socket: Socket, request: PluginRequest): void {
    const work = this.#limit
      .run(() => this.#handler(request))
      .then((answer) => this.#send(socket, answer))
      .finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  /** Sends the answer and closes; who does not take it in time is cut off. Fulfils when the socket is gone. */
  #send(socket: Socket, answer: PluginAnswer): Promise<void> {
    if (socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const deadline = setTimeout(() => socket.destroy(), this.#limits.transferMs);
      socket.once('close', () => {
        clearTimeout(deadline);
        resolve();
      });
      socket.end(encodeAnswer(answer), () => socket.destroySoon());
    });
  }
}

function busy(why: string): CniError {
  return new CniError(CODE.TRY_AGAIN_LATER, 'the agent is busy, try again later', why);
}
