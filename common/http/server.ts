/** The status endpoint of a daemon: HTTP on a Unix socket, and on a TCP address when one is configured. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isIP } from 'node:net';
import { type Endpoint, formatEndpoint } from '../config/values.ts';
import type { Logger } from '../process/log.ts';
import { listenUnix } from '../process/unix-socket.ts';
import { answer, sendError } from './api.ts';
import type { DryRunEndpoint } from './dry-run.ts';
import { RequestError } from './request-error.ts';
import type { StatusSource } from './source.ts';

/** What the status endpoint serves, and where. */
export interface StatusServerOptions {
  source: StatusSource;
  /** Serves POST /v1/plan; without it there is no such document. */
  plan?: DryRunEndpoint;
  /** Path of the Unix socket; none when left out. */
  socket?: string;
  /** Where to listen on TCP (port 0: any); null or left out: nowhere. */
  http?: Endpoint | null;
  log: Logger;
  /** How long the source may take for one answer; 10 s by default. */
  answerTimeoutMs?: number;
}

/** A running status endpoint. */
export interface StatusServer {
  /** Where it listens on TCP; undefined without. */
  readonly http: Endpoint | undefined;
  /** Stops listening, ends the connections and removes the socket. */
  close(): Promise<void>;
}

/** Starts the status endpoint. Throws if it cannot listen, with the socket and the reason. */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const servers: Server[] = [];
  const close = async () => {
    for (const server of servers.splice(0)) {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    }
  };
  try {
    if (options.socket !== undefined) {
      const server = makeServer(options, 'unix');
      await listenUnix(server, options.socket);
      servers.push(logErrors(server, options.log));
    }
    let http: StatusServer['http'];
    if (options.http) {
      const server = makeServer(options, 'tcp');
      await listenTcp(server, options.http);
      servers.push(logErrors(server, options.log));
      http = { address: options.http.address, port: (server.address() as AddressInfo).port };
    }
    return { http, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The daemon survives a connection that it cannot accept, for lack of file descriptors. */
function logErrors(server: Server, log: Logger): Server {
  return server.on('error', (err) => log.warn({ subject: 'status', err }, 'cannot accept a connection'));
}

async function listenTcp(server: Server, endpoint: Endpoint): Promise<void> {
  server.listen({ host: endpoint.address.toString(), port: endpoint.port });
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const remedy = {
      EADDRINUSE: 'the address is in use; configure another http.listen',
      EADDRNOTAVAIL: 'this machine does not have that address; configure another http.listen',
      EACCES: 'permission denied; choose a port above 1023',
    }[code ?? ''];
    throw new Error(`cannot listen on ${formatEndpoint(endpoint)}: ${remedy ?? (error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Whether the Host header is an address or localhost. A page of another site that rebinds its DNS name to this address
 * (DNS rebinding) sends that name and is refused.
 */
export function isDirectHost(host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = host.replace(/:\d{1,5}$/, '');
  return name === 'localhost' || isIP(name) === 4 || (/^\[.*\]$/.test(name) && isIP(name.slice(1, -1)) === 6);
}

const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

/** How a request arrived. */
type Transport = 'unix' | 'tcp';

function makeServer(options: StatusServerOptions, transport: Transport): Server {
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 10_000,
      keepAliveTimeout: 10_000,
      connectionsCheckingInterval: 2000,
    },
    (request, response) => void serve(options, transport, request, response),
  );
  server.maxConnections = 64;
  // Also closes connections of clients that stop reading.
  server.setTimeout(30_000);
  return server;
}

async function serve(
  options: StatusServerOptions,
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { source, log } = options;
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
  try {
    checkRequest(request, response, transport);
    await withTimeout(
      options.answerTimeoutMs ?? 10_000,
      answer({ source, plan: options.plan }, request, response),
    );
  } catch (error) {
    const known = error instanceof RequestError;
    if (!known) log.error({ subject: 'status', err: error, url: request.url }, 'a request failed');
    // After the header, only a broken connection can show that the document is incomplete.
    if (response.headersSent) response.destroy();
    else
      sendError(response, known ? error : new RequestError(500, 'internal error; see the log of the daemon'));
  }
}

function checkRequest(request: IncomingMessage, response: ServerResponse, transport: Transport): void {
  if (transport === 'tcp' && !isDirectHost(request.headers.host)) {
    throw new RequestError(403, 'use an address of this machine or localhost in the URL, not another name');
  }
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length']) > 0;
  if (hasBody) response.shouldKeepAlive = false;
  // Only root can open the Unix socket. Files named in a configuration are read with the daemon's rights.
  if (transport === 'unix' && request.method === 'POST' && request.url?.startsWith('/v1/plan')) return;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    throw new RequestError(405, `${request.method} is not allowed; use GET or HEAD`);
  }
  if (hasBody) throw new RequestError(400, 'the request must not have a body');
}

async function withTimeout(milliseconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new RequestError(503, 'no answer in time; the daemon is busy, try again')),
      milliseconds,
    );
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
