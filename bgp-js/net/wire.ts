import type net from 'node:net';
import type { TransportConfig } from '../session/peer-config.ts';
import type { Outlet } from './sender.ts';
import { SocketWriter } from './write.ts';

/** A TCP connection of the speaker's. */
export class Wire implements Outlet {
  readonly id: number;
  readonly socket: net.Socket;
  /** The options that the socket has. */
  transport: TransportConfig;
  blocked = false;
  closed = false;
  writes = 0;
  private readonly writer: SocketWriter;

  constructor(id: number, socket: net.Socket, transport: TransportConfig) {
    this.id = id;
    this.socket = socket;
    this.transport = transport;
    this.writer = new SocketWriter(socket);
  }

  write(parts: readonly Uint8Array[]): boolean {
    return this.writer.write(parts);
  }
}
