/**
 * Netlink (netlink(7)): its messages as bytes, and a socket for requests, dumps, batches and notifications of any of its
 * protocols.
 *
 * `MessageBuilder` packs any number of messages into one buffer; `walkAttributes` reads attributes within bounds. Header
 * fields and attributes are in host byte order. Of the machines that Node 24 supports only s390x is big-endian; the
 * agent refuses to start there.
 *
 * The kernel handles a request inside send(2), so its answer is queued when send returns, and a dump produces its next
 * part inside each recv(2). Single requests therefore never wait and are synchronous here. Longer work of the kernel
 * runs on a thread of the pool (`batch`) or in slices of time (`dumpSliced`).
 */
import { endianness } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IPAddress } from 'bgp-js/ip';
import { FLAG, MESSAGE } from './constants.ts';
import { KernelError } from './error.ts';
import {
  attachFilter,
  bindSocket,
  closeDescriptor,
  ERRNO,
  lastErrno,
  openSocket,
  receive,
  send,
  sendOffLoop,
  setSocketOption,
  socketName,
} from './libc.ts';

if (endianness() !== 'LE') throw new Error('flatroute supports little-endian machines only');

/** Bytes of a netlink header (struct nlmsghdr). */
export const HEADER_LENGTH = 16;
const ATTRIBUTE_HEADER_LENGTH = 4;
const TYPE_MASK = 0x3fff; // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
const NESTED = 0x8000;
const EXTENDED_ACK_MESSAGE = 1;

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const OPTION = { ADD_MEMBERSHIP: 1, CAP_ACK: 10, EXT_ACK: 11, GET_STRICT_CHK: 12 } as const;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
/** Larger than any message: a part of a dump is at most 32 KiB. */
const RECEIVE_BYTES = 65536;
const SLICE_MS = 1; // plus one part of the dump, which takes about as long again

/**
 * The protocols of netlink that the agent uses or will use (linux/netlink.h): routing, firewall (nftables), and generic
 * netlink, e.g. for WireGuard. Message types, groups and formats belong to the protocol; those in constants.ts are of
 * ROUTE.
 */
export const NETLINK_PROTOCOL = { ROUTE: 0, NETFILTER: 12, GENERIC: 16 } as const;

/** Receives one message: its fixed part starts at `start`, the message ends before `end`. */
export type MessageVisitor = (
  type: number,
  buffer: Buffer,
  start: number,
  end: number,
  flags: number,
) => void;

/** Fills in a request, whose fixed part starts at `fixed` in `builder.buffer`. */
export type RequestFiller = (builder: MessageBuilder, fixed: number) => void;

/** A message of a batch that the kernel refused. */
export interface BatchFailure {
  /** Its position in the batch, from 0. */
  index: number;
  errno: number;
  /** The kernel's error text (extended acknowledgement), or empty. */
  detail: string;
}

/** Options of a Netlink socket. */
export interface NetlinkOptions {
  /** One of NETLINK_PROTOCOL; ROUTE by default. */
  protocol?: number;
  /** Multicast groups of the protocol to join, e.g. `GROUP` of constants.ts. */
  groups?: readonly number[];
  /** Size of the receive queue in bytes; may exceed SO_RCVBUF's limit, which needs CAP_NET_ADMIN. */
  receiveBytes?: number;
  /** Skip notifications of route changes made by the socket with this port number. */
  ignorePort?: number;
}

/** An open socket. It stays in the network namespace in which it was created. */
export class Netlink {
  /** The descriptor; -1 once closed. */
  fd: number;
  /** The socket's address, which notifications name as their cause (nlmsg_pid). */
  readonly port: number;
  readonly #builder = new MessageBuilder(4096);
  readonly #receiveBuffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  #sequence = 1;
  #busy = false;
  #closing = false;

  /** @throws KernelError */
  constructor(options: NetlinkOptions = {}) {
    this.fd = openSocket(AF_NETLINK, SOCK_RAW_CLOEXEC, options.protocol ?? NETLINK_PROTOCOL.ROUTE);
    if (this.fd < 0) throw new KernelError('open a netlink socket', lastErrno());
    try {
      this.setOption(SOL_NETLINK, OPTION.EXT_ACK, 1);
      this.setOption(SOL_NETLINK, OPTION.CAP_ACK, 1);
      this.setOption(SOL_NETLINK, OPTION.GET_STRICT_CHK, 1);
      if (options.receiveBytes) this.setOption(SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBytes);
      if (options.ignorePort !== undefined) this.#ignore(options.ignorePort);
      const address = Buffer.alloc(12);
      address.writeUInt16LE(AF_NETLINK, 0);
      if (bindSocket(this.fd, address) !== 0) throw new KernelError('bind a netlink socket', lastErrno());
      for (const group of options.groups ?? []) this.setOption(SOL_NETLINK, OPTION.ADD_MEMBERSHIP, group);
      if (!socketName(this.fd, address)) throw new KernelError('name a netlink socket', lastErrno());
      this.port = address.readUInt32LE(4);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Closes the socket, after the current batch or dump. */
  close(): void {
    this.#closing = true;
    if (this.#busy || this.fd < 0) return;
    closeDescriptor(this.fd);
    this.fd = -1;
  }

  /** setsockopt(2) with an integer. @throws KernelError */
  setOption(level: number, option: number, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    if (setSocketOption(this.fd, level, option, bytes) !== 0) {
      throw new KernelError(`set option ${option} of a netlink socket`, lastErrno());
    }
  }

  /**
   * Sends one request and reads its acknowledgement. `action` completes "cannot …" in the error. `visit` receives the
   * answer of a request that has one (a GET without DUMP).
   * @throws KernelError when the kernel refuses
   */
  request(
    action: string,
    type: number,
    flags: number,
    fixedLength: number,
    fill: RequestFiller,
    visit?: MessageVisitor,
  ): void {
    this.#send(action, type, flags | FLAG.ACK, fixedLength, fill);
    while (!this.#receive(action, visit)) {}
  }

  /** Reads a whole table synchronously: for small tables. @throws KernelError */
  dump(action: string, type: number, fixedLength: number, fill: RequestFiller, visit: MessageVisitor): void {
    this.#send(action, type, FLAG.DUMP, fixedLength, fill);
    while (!this.#receive(action, visit)) {}
  }

  /**
   * Reads a whole table in slices of one or two milliseconds, with a turn of the event loop between them. The socket is
   * busy meanwhile. @throws KernelError
   */
  async dumpSliced(
    action: string,
    type: number,
    fixedLength: number,
    fill: RequestFiller,
    visit: MessageVisitor,
  ): Promise<void> {
    this.#send(action, type, FLAG.DUMP, fixedLength, fill);
    await this.#exclusively(async () => {
      let began = performance.now();
      while (!this.#receive(action, visit)) {
        if (performance.now() - began < SLICE_MS) continue;
        await nextTurn();
        began = performance.now();
      }
    });
  }

  /**
   * Sends the `count` messages in `builder`, whose sequence numbers must run from 0, and returns those that the kernel
   * refused; the others were carried out. The kernel works on a thread of the pool, because it may have to wait for its
   * routing lock while an interface is being deleted.
   * @throws KernelError when the outcome is unknown
   */
  async batch(action: string, builder: MessageBuilder, count: number): Promise<BatchFailure[]> {
    const failures: BatchFailure[] = [];
    if (count === 0) return failures;
    this.#checkFree();
    // The kernel always answers a refused message; an ACK of the last message marks the end of the batch.
    builder.addFlags(FLAG.ACK);
    await this.#exclusively(async () => {
      const sent = await sendOffLoop(this.fd, builder.buffer, builder.length);
      if (sent !== builder.length) {
        // errno belongs to the thread that made the call, so the reason is unknown.
        throw new KernelError(action, ERRNO.EIO, `the kernel accepted ${sent} of ${builder.length} bytes`);
      }
      let done = false;
      while (!done) {
        this.read(action, (type, buffer, start, end, flags, sequence) => {
          if (type !== MESSAGE.ERROR || end - start < 4) return;
          const errno = -buffer.readInt32LE(start);
          if (errno !== 0) {
            failures.push({ index: sequence, errno, detail: extendedAck(type, buffer, start, end, flags) });
          }
          if (sequence === count - 1) done = true;
        });
      }
    });
    return failures;
  }

  /**
   * Receives once, without waiting, and calls `visit` for every message. Returns false when the queue is empty and
   * `mayBeEmpty` is set.
   * @throws KernelError; errno ENOBUFS: the queue was full and the kernel dropped messages
   */
  read(action: string, visit: (...message: RawMessage) => void, mayBeEmpty = false): boolean {
    const buffer = this.#receiveBuffer;
    const received = receive(this.fd, buffer, MSG_DONTWAIT | MSG_TRUNC);
    if (received < 0) {
      const errno = lastErrno();
      if (errno === ERRNO.EINTR) return true;
      if (errno === ERRNO.EAGAIN && mayBeEmpty) return false;
      throw new KernelError(action, errno, errno === ERRNO.EAGAIN ? 'the kernel did not answer' : '');
    }
    if (received > buffer.length) {
      throw new KernelError(action, ERRNO.ENOBUFS, `an answer of ${received} bytes is too long`);
    }
    let at = 0;
    while (at + HEADER_LENGTH <= received) {
      const length = buffer.readUInt32LE(at);
      if (length < HEADER_LENGTH || at + length > received) break;
      const type = buffer.readUInt16LE(at + 4);
      const flags = buffer.readUInt16LE(at + 6);
      visit(type, buffer, at + HEADER_LENGTH, at + length, flags, buffer.readUInt32LE(at + 8));
      at += (length + 3) & ~3;
    }
    return true;
  }

  /**
   * Drops notifications whose nlmsg_pid is `port` in the kernel, or every batch would be echoed. Notifications of routes
   * have the requester's number there; those of links mostly 0.
   */
  #ignore(port: number): void {
    const LOAD_WORD = 0x20;
    const JUMP_IF_EQUAL = 0x15;
    const RETURN = 0x06;
    const program = Buffer.alloc(32);
    const instruction = (index: number, code: number, jumpFalse: number, operand: number) => {
      program.writeUInt16LE(code, index * 8);
      program.writeUInt8(jumpFalse, index * 8 + 3);
      program.writeUInt32LE(operand, index * 8 + 4);
    };
    const bigEndian = Buffer.alloc(4); // BPF loads words in network order
    bigEndian.writeUInt32LE(port);
    instruction(0, LOAD_WORD, 0, 12);
    instruction(1, JUMP_IF_EQUAL, 1, bigEndian.readUInt32BE());
    instruction(2, RETURN, 0, 0);
    instruction(3, RETURN, 0, 0xffffffff);
    if (attachFilter(this.fd, program) !== 0) throw new KernelError('filter a netlink socket', lastErrno());
  }

  #send(action: string, type: number, flags: number, fixedLength: number, fill: RequestFiller): void {
    this.#checkFree();
    const builder = this.#builder;
    builder.reset();
    fill(builder, builder.begin(type, flags | FLAG.REQUEST, fixedLength));
    this.#sequence = (this.#sequence + 1) >>> 0;
    builder.end(this.#sequence);
    if (send(this.fd, builder.buffer, builder.length) !== builder.length) {
      throw new KernelError(action, lastErrno());
    }
  }

  /** Receives once; true when the answer to the last request is complete. */
  #receive(action: string, visit?: MessageVisitor): boolean {
    let done = false;
    let failure: KernelError | null = null;
    this.read(action, (type, buffer, start, end, flags, sequence) => {
      if (sequence !== this.#sequence) return; // the rest of an earlier answer whose reading failed
      if (type === MESSAGE.ERROR || type === MESSAGE.DONE) {
        const errno = end - start >= 4 ? -buffer.readInt32LE(start) : 0;
        if (errno > 0) failure = new KernelError(action, errno, extendedAck(type, buffer, start, end, flags));
        done = true;
      } else visit?.(type, buffer, start, end, flags);
    });
    if (failure) throw failure;
    return done;
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    this.#busy = true;
    try {
      await work();
    } finally {
      this.#busy = false;
      if (this.#closing) this.close();
    }
  }

  #checkFree(): void {
    if (this.fd < 0) throw new Error('this netlink socket is closed');
    if (this.#busy) throw new Error('this netlink socket is busy with a batch or dump: use another one');
  }
}

type RawMessage = [type: number, buffer: Buffer, start: number, end: number, flags: number, sequence: number];

/** Packs messages one after another. @throws RangeError when the buffer is full */
export class MessageBuilder {
  readonly buffer: Buffer;
  #length = 0;
  #start = 0;

  /** `capacity` in bytes. */
  constructor(capacity = 2048) {
    this.buffer = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes packed so far. */
  get length(): number {
    return this.#length;
  }

  /** Bytes still free. */
  get room(): number {
    return this.buffer.length - this.#length;
  }

  /** Empties the buffer. */
  reset(): void {
    this.#length = 0;
    this.#start = 0;
  }

  /** Starts a message whose fixed part has `fixedLength` zeroed bytes; returns the offset of the fixed part. */
  begin(type: number, flags: number, fixedLength: number): number {
    this.#start = this.#length;
    this.#reserve(HEADER_LENGTH + fixedLength);
    this.buffer.writeUInt16LE(type, this.#start + 4);
    this.buffer.writeUInt16LE(flags, this.#start + 6);
    return this.#start + HEADER_LENGTH;
  }

  /** Ends the message by filling in its length. The kernel's answer carries `sequence`. */
  end(sequence: number): void {
    this.buffer.writeUInt32LE(this.#length - this.#start, this.#start);
    this.buffer.writeUInt32LE(sequence, this.#start + 8);
  }

  /** Adds flags to the last message. */
  addFlags(flags: number): void {
    this.buffer.writeUInt16LE(this.buffer.readUInt16LE(this.#start + 6) | flags, this.#start + 6);
  }

  /** Appends an attribute of raw bytes. */
  bytes(type: number, value: Uint8Array): void {
    const at = this.#attribute(type, value.length);
    this.buffer.set(value, at);
  }

  /** Appends an attribute that is an address: 4 or 16 octets. */
  address(type: number, address: IPAddress): void {
    address.write(this.buffer, this.#attribute(type, address.bits >> 3));
  }

  /** Appends an attribute of 32 bits. */
  uint32(type: number, value: number): void {
    this.buffer.writeUInt32LE(value, this.#attribute(type, 4));
  }

  /** Appends an attribute that is a zero-terminated string. */
  string(type: number, value: string): void {
    this.bytes(type, Buffer.from(`${value}\0`, 'utf8'));
  }

  /** Appends bytes that are attributes already, or a fixed part inside a nest; padded to four bytes. */
  raw(bytes: Uint8Array): void {
    const at = this.#length;
    this.#reserve((bytes.length + 3) & ~3);
    this.buffer.set(bytes, at);
  }

  /** Appends an attribute that contains the attributes that `fill` appends. */
  nest(type: number, fill: () => void): void {
    const at = this.#length;
    this.#reserve(ATTRIBUTE_HEADER_LENGTH);
    fill();
    this.buffer.writeUInt16LE(this.#length - at, at);
    this.buffer.writeUInt16LE(type | NESTED, at + 2);
  }

  #attribute(type: number, length: number): number {
    const at = this.#length;
    this.#reserve(ATTRIBUTE_HEADER_LENGTH + ((length + 3) & ~3));
    this.buffer.writeUInt16LE(ATTRIBUTE_HEADER_LENGTH + length, at);
    this.buffer.writeUInt16LE(type, at + 2);
    return at + ATTRIBUTE_HEADER_LENGTH;
  }

  #reserve(length: number): void {
    if (length > this.room) {
      throw new RangeError(
        `netlink message of ${this.#length + length} bytes in a buffer of ${this.buffer.length}`,
      );
    }
    this.buffer.fill(0, this.#length, this.#length + length);
    this.#length += length;
  }
}

/**
 * Calls `visit` for each attribute in `buffer[start, end)`, with its type and the range of its value. Stops at the first
 * attribute whose length does not fit, so that nothing outside of the range is read.
 */
export function walkAttributes(
  buffer: Buffer,
  start: number,
  end: number,
  visit: (type: number, from: number, to: number) => void,
): void {
  const limit = Math.min(end, buffer.length);
  let at = start;
  while (at + ATTRIBUTE_HEADER_LENGTH <= limit) {
    const length = buffer.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER_LENGTH || at + length > limit) return;
    visit(buffer.readUInt16LE(at + 2) & TYPE_MASK, at + ATTRIBUTE_HEADER_LENGTH, at + length);
    at += (length + 3) & ~3;
  }
}

/** The value of a string attribute, without its terminator. */
export function readString(buffer: Buffer, from: number, to: number): string {
  const zero = buffer.indexOf(0, from);
  return buffer.toString('utf8', from, zero < 0 || zero > to ? to : zero);
}

/** The value of a 32-bit attribute; 0 when it is shorter. */
export function readUint32(buffer: Buffer, from: number, to: number): number {
  return to - from >= 4 ? buffer.readUInt32LE(from) : 0;
}

/** The text of an extended acknowledgement (struct nlmsgerr, NLMSGERR_ATTR_MSG), or empty. */
function extendedAck(type: number, buffer: Buffer, start: number, end: number, flags: number): string {
  if (!(flags & FLAG.ACK_ATTRIBUTES)) return '';
  let at = start + 4;
  if (type === MESSAGE.ERROR) {
    if (end - start < 4 + HEADER_LENGTH) return '';
    // The request's header follows the errno, and its body unless the answer is capped.
    const repeated = flags & FLAG.CAPPED ? HEADER_LENGTH : buffer.readUInt32LE(at);
    at += (repeated + 3) & ~3;
  }
  let text = '';
  walkAttributes(buffer, at, end, (attribute, from, to) => {
    if (attribute === EXTENDED_ACK_MESSAGE) text = readString(buffer, from, to);
  });
  return text;
}
