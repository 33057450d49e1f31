/**
 * The protocol between the plugin (shim.c) and the agent over the agent's Unix socket: one request and one answer on each
 * connection. Both frames start with a header of twelve bytes; numbers are big-endian:
 *
 *   request  "FRQ1" | u32 length of the environment | u32 length of stdin | environment | stdin
 *   answer   "FRA1" | u32 exit code                 | u32 length of stdout | stdout
 *
 * The environment is the plugin's CNI_* variables, each as NAME=VALUE and a zero byte.
 */

/** Length of either frame's header, in bytes. */
export const HEADER_LENGTH = 12;
/** Most bytes of environment in a request. */
export const ENVIRONMENT_MAX = 256 * 1024;
/** Most bytes of standard input in a request, and of standard output in an answer. */
export const BODY_MAX = 1024 * 1024;

const REQUEST_MAGIC = 'FRQ1';
const ANSWER_MAGIC = 'FRA1';

/** One execution of the plugin: its CNI_* variables and the network configuration on its standard input. */
export interface PluginRequest {
  environment: ReadonlyMap<string, string>;
  stdin: Buffer;
}

/** The plugin's output and its exit code (0–255). */
export interface PluginAnswer {
  exitCode: number;
  stdout: string;
}

/** The bytes are not a frame of this protocol. The connection must be closed. */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}

function header(magic: string, first: number, second: number): Buffer {
  const bytes = Buffer.alloc(HEADER_LENGTH);
  bytes.write(magic, 'latin1');
  bytes.writeUInt32BE(first, 4);
  bytes.writeUInt32BE(second, 8);
  return bytes;
}

function checkMagic(bytes: Buffer, magic: string): void {
  const found = bytes.toString('latin1', 0, 4);
  if (found !== magic)
    throw new ProtocolError(`frame starts with ${JSON.stringify(found)} instead of "${magic}"`);
}

function checkLength(what: string, length: number, maximum: number): void {
  if (length > maximum) throw new ProtocolError(`${what} of ${length} bytes is over the limit of ${maximum}`);
}

/** Encodes a request. Throws a ProtocolError if a part is over its limit. */
export function encodeRequest(environment: Iterable<readonly [string, string]>, stdin: Uint8Array): Buffer {
  const text = Buffer.from(Array.from(environment, ([name, value]) => `${name}=${value}\0`).join(''));
  checkLength('environment', text.length, ENVIRONMENT_MAX);
  checkLength('standard input', stdin.length, BODY_MAX);
  return Buffer.concat([header(REQUEST_MAGIC, text.length, stdin.length), text, stdin]);
}

/** Encodes an answer. Throws a ProtocolError if the text is over BODY_MAX. */
export function encodeAnswer(answer: PluginAnswer): Buffer {
  const body = Buffer.from(answer.stdout);
  checkLength('standard output', body.length, BODY_MAX);
  return Buffer.concat([header(ANSWER_MAGIC, answer.exitCode, body.length), body]);
}

/** Decodes a complete answer. Throws a ProtocolError if the bytes are anything else. */
export function decodeAnswer(bytes: Buffer): PluginAnswer {
  if (bytes.length < HEADER_LENGTH) throw new ProtocolError(`answer ends after ${bytes.length} bytes`);
  checkMagic(bytes, ANSWER_MAGIC);
  const length = bytes.readUInt32BE(8);
  checkLength('standard output', length, BODY_MAX);
  if (bytes.length !== HEADER_LENGTH + length) {
    throw new ProtocolError(
      `answer has ${bytes.length - HEADER_LENGTH} bytes where its header says ${length}`,
    );
  }
  return { exitCode: bytes.readUInt32BE(4), stdout: bytes.toString('utf8', HEADER_LENGTH) };
}

function decodeEnvironment(bytes: Buffer): Map<string, string> {
  const environment = new Map<string, string>();
  if (bytes.length === 0) return environment;
  if (bytes[bytes.length - 1] !== 0) throw new ProtocolError('environment does not end with a zero byte');
  for (const entry of bytes.toString('utf8', 0, bytes.length - 1).split('\0')) {
    const equals = entry.indexOf('=');
    if (equals < 1) throw new ProtocolError('environment has an entry that is not NAME=VALUE');
    // The first of equal names wins, as with getenv(3).
    const name = entry.slice(0, equals);
    if (!environment.has(name)) environment.set(name, entry.slice(equals + 1));
  }
  return environment;
}

/**
 * Assembles a request from the pieces in which it arrives. It buffers at most the size in the header and refuses a header
 * over the limits. The caller can account for the memory by `size` before the rest arrives.
 */
export class RequestReader {
  /** Bytes of the whole frame; undefined until the header is complete. */
  size: number | undefined;
  #environmentLength = 0;
  #chunks: Buffer[] = [];
  #have = 0;

  /** Adds the next piece. Returns the request once it is complete. Throws a ProtocolError. */
  push(chunk: Buffer): PluginRequest | undefined {
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    if (this.size === undefined) this.#readHeader();
    if (this.size === undefined || this.#have < this.size) return undefined;
    if (this.#have > this.size)
      throw new ProtocolError(`${this.#have - this.size} bytes after the end of the request`);
    const frame = this.#join();
    const split = HEADER_LENGTH + this.#environmentLength;
    return {
      environment: decodeEnvironment(frame.subarray(HEADER_LENGTH, split)),
      stdin: frame.subarray(split),
    };
  }

  #readHeader(): void {
    if (this.#have < HEADER_LENGTH) return;
    const start = this.#join();
    checkMagic(start, REQUEST_MAGIC);
    this.#environmentLength = start.readUInt32BE(4);
    const stdinLength = start.readUInt32BE(8);
    checkLength('environment', this.#environmentLength, ENVIRONMENT_MAX);
    checkLength('standard input', stdinLength, BODY_MAX);
    this.size = HEADER_LENGTH + this.#environmentLength + stdinLength;
  }

  #join(): Buffer {
    const joined = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
