/**
 * Recognising routes in a dump without decoding them. Thousands of routes share a target, and their messages
 * differ in prefix and metric only: once one of them has been decoded and found right, the others are compared
 * byte by byte. It saves most of the time and nearly all of the garbage of a dump.
 */
import { ROUTE_ATTRIBUTE } from './constants.ts';
import { formatAddress } from './ip.ts';
import { ROUTE_LENGTH } from './route.ts';

const PREFIX_LENGTH = 1; // rtm_dst_len

/** A route message, and where its prefix and metric lie, from the message's start; 0: it has none. */
export interface RouteShape {
  bytes: Buffer;
  destination: number;
  metric: number;
}

/** Where the fixed part begins and the message ends; prefix and metric as read by `locate`. */
export class RouteCursor {
  buffer: Buffer = EMPTY;
  start = 0;
  end = 0;
  destination = 0;
  metric = 0;

  /** Finds prefix and metric of a route message. */
  locate(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    this.start = start;
    this.end = end;
    this.destination = 0;
    this.metric = 0;
    let at = start + ROUTE_LENGTH;
    while (at + 4 <= end) {
      const length = buffer.readUInt16LE(at);
      if (length < 4 || at + length > end) return;
      const type = buffer.readUInt16LE(at + 2);
      if (length === 8 && type === ROUTE_ATTRIBUTE.DESTINATION) this.destination = at + 4 - start;
      else if (length === 8 && type === ROUTE_ATTRIBUTE.METRIC) this.metric = at + 4 - start;
      at += (length + 3) & ~3;
    }
  }

  get prefix(): string {
    const length = this.buffer[this.start + PREFIX_LENGTH];
    if (this.destination === 0) return `0.0.0.0/${length}`;
    return `${formatAddress(this.buffer, this.start + this.destination)}/${length}`;
  }

  get metricValue(): number {
    return this.metric === 0 ? 0 : this.buffer.readUInt32LE(this.start + this.metric);
  }

  /** A copy to compare others with. */
  capture(): RouteShape {
    const bytes = Buffer.from(this.buffer.subarray(this.start, this.end));
    return { bytes, destination: this.destination, metric: this.metric };
  }

  /** Whether this is the same route as `shape` but for prefix and metric. */
  hasShape({ bytes, destination, metric }: RouteShape): boolean {
    if (destination !== this.destination || metric !== this.metric) return false;
    if (bytes.length !== this.end - this.start || this.buffer[this.start] !== bytes[0]) return false;
    for (let i = PREFIX_LENGTH + 1; i < bytes.length; i++) {
      if (bytes[i] === this.buffer[this.start + i]) continue;
      const isPrefix = destination > 0 && i >= destination && i < destination + 4;
      const isMetric = metric > 0 && i >= metric && i < metric + 4;
      if (!isPrefix && !isMetric) return false;
    }
    return true;
  }
}

const EMPTY = Buffer.alloc(0);
