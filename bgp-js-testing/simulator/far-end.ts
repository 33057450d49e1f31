/** The far end of a session with a speaker under test: sends any bytes and records what it receives. */

import { eachAttribute } from 'bgp-js/wire/attribute-types.ts';
import { readU16 } from 'bgp-js/wire/cursor.ts';
import { Framer } from 'bgp-js/wire/frame.ts';
import { decodeMessage, isError, KEEPALIVE } from 'bgp-js/wire/message.ts';
import type { Notification } from 'bgp-js/wire/notification.ts';
import { encodeOpen, type OpenMessage } from 'bgp-js/wire/open.ts';

/** An OPEN of the four-octet AS `as` with IPv4 unicast and route refresh; `fields` overrides any of it. */
export function openBytes(as: number, fields: Partial<OpenMessage> = {}): Uint8Array {
  return encodeOpen({
    version: 4,
    as: Math.min(as, 0xffff),
    holdTime: 90,
    identifier: 0x0a000063,
    capabilities: [
      { code: 1, value: Uint8Array.of(0, 1, 0, 1) },
      { code: 2, value: new Uint8Array(0) },
      { code: 65, value: Uint8Array.of(as >>> 24, as >>> 16, as >>> 8, as) },
    ],
    ...fields,
  });
}

/** What a peer has received, decoded by a reader that shares no code with the RIB. */
export class FarEnd {
  /** Numbers of received messages by type. */
  readonly counts: Record<string, number> = {};
  notification: Notification | null = null;
  closed = false;
  /** Prefixes that were advertised and not withdrawn, in wire form, with their attributes; both in hex. */
  readonly routes = new Map<string, string>();
  /** Defects of the messages received. */
  readonly complaints: string[] = [];
  private readonly framer = new Framer();

  constructor() {
    this.framer.maxLength = 0xffff;
  }

  /** Reads what the speaker sent. */
  take(bytes: Uint8Array): void {
    // The framer keeps the bytes that are pushed.
    this.framer.push(bytes.slice());
    for (;;) {
      const at = this.framer.next();
      if (at === -1) return;
      if (typeof at !== 'number') {
        this.complaints.push(at.text);
        return;
      }
      const all = this.framer.bytes;
      this.message(all.slice(at, at + readU16(all, at + 16)));
    }
  }

  private message(bytes: Uint8Array): void {
    const message = decodeMessage(bytes, 0xffff);
    if (isError(message)) {
      this.complaints.push(message.text);
      return;
    }
    this.counts[message.type] = (this.counts[message.type] ?? 0) + 1;
    if (message.type === 'notification') this.notification = message.notification;
    if (message.type !== 'update') return;
    this.withdraw('', message.withdrawn);
    this.update(message.attributes);
    this.announce('', message.nlri, message.attributes);
  }

  /** Routes in MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3, 4). */
  private update(attributes: Uint8Array): void {
    eachAttribute(attributes, 0, attributes.length, (type, _flags, from, to) => {
      const family = `${readU16(attributes, from)}/${attributes[from + 2]} `;
      if (type === 15) this.withdraw(family, attributes.subarray(from + 3, to));
      if (type !== 14) return;
      const nlri = from + 5 + attributes[from + 3];
      this.announce(family, attributes.subarray(nlri, to), attributes);
    });
  }

  private announce(family: string, nlri: Uint8Array, attributes: Uint8Array): void {
    const hex = Buffer.from(attributes).toString('hex');
    for (const prefix of prefixes(nlri)) this.routes.set(family + prefix, hex);
  }

  private withdraw(family: string, nlri: Uint8Array): void {
    for (const prefix of prefixes(nlri)) this.routes.delete(family + prefix);
  }
}

function* prefixes(nlri: Uint8Array): Generator<string> {
  for (let at = 0; at < nlri.length; ) {
    const next = at + 1 + ((nlri[at] + 7) >> 3);
    yield Buffer.from(nlri.subarray(at, next)).toString('hex');
    at = next;
  }
}

/** OPEN and KEEPALIVE: what brings a session up when the other side does the same. */
export function greeting(open: Uint8Array): Uint8Array {
  return Buffer.concat([open, KEEPALIVE]);
}
