/** The Unix socket server for the plugins: frames, limits and time-outs. The handler makes the answers (service.ts). */
import { createServer, type Server, type Socket } from 'node:net';
import {
  encodeAnswer,
  type PluginAnswer,
  type PluginRequest,
  ProtocolError,
  RequestReader,
} from '@flatroute/cni/protocol.ts';
import { listenUnix } from '@flatroute/common/process/unix-socket.ts';
import { Semaphore } from './concurrency.ts';
import { CniError, CODE, errorAnswer } from './errors.ts';

/** What the server admits at once. */
export interface ServerLimits {
  /** Connections; further ones get error 11, try again later. */
  connections: number;
  /** Requests that are executed; further ones wait. */
  concurrent: number;
  /** Bytes of requests in memory; a request beyond gets error 11. */
  bytes: number;
  /** Milliseconds for a client to send its request, and again to read the answer. */
  transferMs: number;
}

/** Suits a node with a few hundred pods. */
export const DEFAULT_LIMITS: ServerLimits = {
  connections: 512,
  concurrent: 64,
  bytes: 32 * 1024 * 1024,
  transferMs: 5000,
};

/** Executes a request and returns the answer. Must not reject. */
export type Handler = (request: PluginRequest) => Promise<PluginAnswer>;

/** sun_path of sockaddr_un holds 108 bytes with the ending zero (unix(7)). */
const PATH_MAX = 107;

/** The CNI server. It answers every request, also invalid ones, within its limits. */
export class CniServer {
  readonly #path: string;
  readonly #handler: Handler;
  readonly #limits: ServerLimits;
  readonly #limit: Semaphore;
  readonly #server: Server;
  /** Connections whose request is not complete. */
  readonly #receiving = new Set<Socket>();
  /** Requests that are executed or answered. */
  readonly #working = new Set<Promise<void>>();
  #connections = 0;
  #bytes = 0;

  constructor(path: string, handler: Handler, limits: ServerLimits = DEFAULT_LIMITS) {
    this.#path = path;
    this.#handler = handler;
    this.#limits = limits;
    this.#limit = new Semaphore(limits.concurrent);
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /**
   * Starts to accept requests, on a socket that only root can open. Replaces the socket of a process that has ended.
   * @throws Error if another process listens on the path, or it is not usable
   */
  async listen(): Promise<void> {
    if (Buffer.byteLength(this.#path) > PATH_MAX)
      throw new Error(`cni.socket: ${this.#path} is longer than ${PATH_MAX} bytes`);
    await listenUnix(this.#server, this.#path);
  }

  /** Stops accepting, answers the requests that are complete, and removes the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#receiving) socket.destroy();
    while (this.#working.size > 0) await Promise.all(this.#working);
    await closed;
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
            throw busy('other requests fill the memory limit');
          reserved = reader.size;
          this.#bytes += reserved;
        }
        if (request === undefined) return;
        received();
        // Keep reading to notice the end of the connection; further bytes are ignored.
        socket.resume();
        this.#work(socket, request);
      } catch (error) {
        refuse(error instanceof ProtocolError ? new CniError(CODE.DECODE_FAILURE, error.message) : error);
      }
    };
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      received();
      this.#connections--;
      this.#bytes -= reserved;
    });
    if (this.#connections > this.#limits.connections) {
      refuse(busy(`${this.#limits.connections} other requests are in progress`));
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

  /** Sends the answer and closes the connection, also if the client does not read it in time. Fulfils once closed. */
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
