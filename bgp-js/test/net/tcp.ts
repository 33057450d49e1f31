/**
 * Speakers and scripted peers on loopback TCP. The kernel chooses the port of every listener, so several copies of a
 * test can run at the same time. These tests check no routes: the speaker refuses next hops in 127.0.0.0/8.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { peerConfig } from 'bgp-js-testing/index.ts';
import { type PeerOptions, type PeerStatus, peerStatuses, Speaker, type SpeakerEvent } from '../../index.ts';
import { type HostOptions, SpeakerHost } from '../../net/index.ts';
import { decodeMessage, encodeMessage, Framer, isError, type Message } from '../../wire/index.ts';
import { ip } from '../ip/values.ts';
import { hex } from '../wire/bytes.ts';

export const AS = 64512;

/** A speaker with its host, listening on a loopback address. */
export class Node {
  readonly address: string;
  readonly host: SpeakerHost;
  readonly events: SpeakerEvent[] = [];

  constructor(address: string, options: Partial<HostOptions> = {}) {
    this.address = address;
    // The speaker's own address is only used as a next hop; sessions use the address of their socket.
    const config = { as: AS, routerId: address.replace(/^127/, '10'), address: '10.0.0.1', maximumPaths: 1 };
    this.host = new SpeakerHost(new Speaker(config, Math.random), {
      listen: { address, port: 0 },
      localAddress: address,
      onEvent: (event) => this.events.push(event),
      ...options,
    });
  }

  peer(address: string, fields: Partial<PeerOptions> = {}): void {
    this.host.speaker.addPeer(peerConfig({ as: AS, address, ...fields }), this.host.now());
    this.host.wake();
  }

  status(address: string): PeerStatus {
    const status = peerStatuses(this.host.speaker, this.host.now()).find((peer) => peer.address === address);
    assert.ok(status, `${this.address} knows ${address}`);
    return status;
  }

  get connections(): number {
    return [...this.host.speaker.connections()].length;
  }

  countOf(type: SpeakerEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }
}

/** A peer whose side of the TCP connection is scripted by the test. */
export class RawPeer {
  readonly socket: net.Socket;
  readonly messages: Message[] = [];
  /** How the connection ended: with FIN, or with an error such as ECONNRESET. */
  ended: 'fin' | string | null = null;
  octets = 0;
  private readonly address: string;
  private readonly framer = new Framer();

  private constructor(socket: net.Socket, address: string) {
    this.socket = socket;
    this.address = address;
    socket.on('data', (chunk) => this.take(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.ended ??= error.code ?? error.message;
    });
    socket.on('end', () => {
      this.ended ??= 'fin';
    });
  }

  /** Connects to the node from `address`. */
  static async connect(node: Node, address: string): Promise<RawPeer> {
    const socket = net.connect({ host: node.address, port: node.host.port, localAddress: address });
    await once(socket, 'connect');
    return new RawPeer(socket, address);
  }

  /** Connects and brings the session up. */
  static async establish(node: Node, address: string, holdTime = 90): Promise<RawPeer> {
    const peer = await RawPeer.connect(node, address);
    peer.send(peer.open(holdTime), encodeMessage({ type: 'keepalive' }));
    await until(() => node.status(address).state === 'Established', `${address} is established`);
    return peer;
  }

  open(holdTime: number): Uint8Array {
    const identifier = ip(this.address).value;
    const capabilities = [{ code: 65, value: hex(AS.toString(16).padStart(8, '0')) }];
    return encodeMessage({ type: 'open', open: { version: 4, as: AS, holdTime, identifier, capabilities } });
  }

  send(...messages: Uint8Array[]): void {
    for (const message of messages) this.socket.write(message);
  }

  private take(chunk: Uint8Array): void {
    this.octets += chunk.length;
    this.framer.push(chunk);
    for (let at = this.framer.next(); at !== -1; at = this.framer.next()) {
      assert.ok(typeof at === 'number', 'the speaker sends valid headers');
      const length = this.framer.bytes[at + 16] * 256 + this.framer.bytes[at + 17];
      const message = decodeMessage(this.framer.bytes.slice(at, at + length));
      assert.ok(!isError(message), 'the speaker sends valid messages');
      this.messages.push(message);
    }
  }
}

/** Waits for the condition, much longer than anything here takes on a slow machine. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 50_000; !condition(); await sleep(5)) {
    assert.ok(performance.now() < end, `timed out: ${what}`);
  }
}
