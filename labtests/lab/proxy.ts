/** Serves a node's page on this machine's loopback: HTTP on a port, passed on to the agent's Unix socket. */

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A page that is being served. */
export interface Proxy {
  /** The address to open, such as http://127.0.0.1:9181/. */
  url: string;
  close(): Promise<void>;
}

/** Serves `socketPath` at 127.0.0.1:`port`, or at a free port when that one is taken. */
export async function serveOnLoopback(socketPath: string, port: number): Promise<Proxy> {
  const server = createServer((incoming, outgoing) => forward(socketPath, incoming, outgoing));
  try {
    await listen(server, port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    await listen(server, 0);
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url, close };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function forward(socketPath: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  // A name that resolves to the loopback must not give a web site access to the page (DNS rebinding).
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(incoming.headers.host ?? '')) {
    outgoing.writeHead(421).end('this address is for 127.0.0.1 and localhost only\n');
    return;
  }
  const { method, url: path, headers } = incoming;
  const call = request({ socketPath, method, path, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  call.on('error', (error) => {
    if (!outgoing.headersSent) outgoing.writeHead(502);
    outgoing.end(`the agent does not answer: ${error.message}\n`);
  });
  incoming.pipe(call);
}
