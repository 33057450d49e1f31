/**
 * The kinds of value that configuration files hold, as zod types. A message begins with what is wrong with the
 * value found, which the loader puts in front of it, and ends with what to do.
 */
import * as z from 'zod';
import { formatCidr, networkOf, parseCidr, parseIPv4 } from '../ipv4.ts';

type Fail = (message: string) => never;

/** Leaves a reader at once; it never leaves `scalar`. */
class Rejected extends Error {}

/** A zod type that reads one value; `fail` reports what is wrong with it and what to do, and does not return. */
export function scalar<T>(read: (value: unknown, fail: Fail) => T): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    try {
      return read(value, (message) => {
        throw new Rejected(message);
      });
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      context.issues.push({ code: 'custom', input: value, message: error.message });
      return z.NEVER;
    }
  });
}

/** A mapping with these keys and no others. */
export function section<T extends z.ZodRawShape>(shape: T) {
  const keys = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'invalid_type' ? `is not a mapping; write "key: value" with keys of ${keys}` : undefined,
  });
}

/** A mapping that may be left out or left empty: its own defaults apply. */
export function optionalSection<T extends z.ZodRawShape>(shape: T) {
  return z.preprocess((value) => value ?? {}, section(shape));
}

/** A list, empty when it is left out. */
export function list<T extends z.ZodType>(element: T) {
  const type = z.array(element, { error: 'is not a list; write [A, B] or one "- …" a line' });
  return z.preprocess((value) => value ?? [], type);
}

/** Text, not empty, on one line, of at most `maximumBytes` octets of UTF-8. */
export function text(maximumBytes = 255) {
  return scalar((value, fail) => {
    if (typeof value !== 'string') return fail('is not text; put it in quotes when text is meant');
    if (value.trim() === '') return fail('is empty; write something or leave the key out');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
    if (/[\u0000-\u001f\u007f]/.test(value))
      return fail('holds control characters; write one line of plain text');
    const bytes = Buffer.byteLength(value);
    if (bytes > maximumBytes) return fail(`is ${bytes} octets long; at most ${maximumBytes} are allowed`);
    return value;
  });
}

/** One word of a few. */
export function oneOf<const T extends string>(...words: readonly T[]) {
  return scalar((value, fail): T => {
    const found = words.find((word) => word === value);
    return found ?? fail(`is not known here; write one of ${words.join(', ')}`);
  });
}

/** true or false. */
export const flag = scalar((value, fail) =>
  typeof value === 'boolean'
    ? value
    : fail('is neither true nor false; write one of the two, without quotes'),
);

/** A whole number within bounds, both included. */
export function integer(minimum: number, maximum: number) {
  return scalar((value, fail) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum)
      return value;
    const quotes = typeof value === 'string' ? ', without quotes' : '';
    return fail(`is not a whole number of ${minimum} to ${maximum}; write one${quotes}`);
  });
}

/** A TCP port. */
export const port = integer(1, 65535);

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

/** Reads a duration in seconds: 90, "90s", "5m", "2h" or "1d"; undefined when the value is none. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? value : undefined;
  const match = typeof value === 'string' ? /^(\d{1,9})([smhd])$/.exec(value) : null;
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]];
}

/** A duration in whole seconds within bounds, both included. */
export function duration(minimum: number, maximum: number) {
  return scalar((value, fail) => {
    const seconds = parseDuration(value);
    if (seconds === undefined)
      return fail('is not a duration; write whole seconds, or a number with s, m, h or d');
    if (seconds >= minimum && seconds <= maximum) return seconds;
    return fail(`is out of bounds; write ${minimum} to ${maximum} seconds`);
  });
}

/** A BGP hold time: 0 for no keepalives, or 3 seconds and more (RFC 4271 §4.2). */
export const holdTime = scalar((value, fail) => {
  const seconds = parseDuration(value);
  if (seconds === undefined)
    return fail('is not a duration; write whole seconds, or a number with s, m or h');
  if (seconds === 0 || (seconds >= 3 && seconds <= 65535)) return seconds;
  return fail('is no hold time; write 0 for no keepalives, or 3 to 65535 seconds (RFC 4271 §4.2)');
});

const RESERVED_AS = new Map([
  [0, 'is reserved (RFC 7607)'],
  [23456, 'is AS_TRANS and stands for other numbers (RFC 6793)'],
  [65535, 'is reserved (RFC 7300)'],
  [4294967295, 'is reserved (RFC 7300)'],
]);

/** An AS number of two or four octets, in plain form (asplain, RFC 5396). */
export const asNumber = scalar((value, fail) => {
  const wanted = 'write a whole number of 1 to 4294967294';
  if (typeof value === 'string' && /^\d+$/.test(value))
    return fail('is text; write the AS number without quotes');
  // asdot reads as a decimal fraction in YAML, which loses trailing zeros: 1.10 would become AS 1.1.
  const dotted =
    typeof value === 'number' ? !Number.isInteger(value) && value > 0 : /^\d+\.\d+$/.test(String(value));
  if (dotted) return fail('is an AS number in dotted form; write it plainly: high × 65536 + low');
  if (typeof value !== 'number' || !Number.isInteger(value)) return fail(`is not an AS number; ${wanted}`);
  const reserved = RESERVED_AS.get(value);
  if (reserved !== undefined) return fail(`${reserved}; ${wanted}, such as the private 64512 to 65534`);
  return value > 0 && value < 4294967295 ? value : fail(`is not an AS number; ${wanted}`);
});

/** An IPv4 address of a host: neither 0/8 nor multicast or reserved. */
export const hostAddress = scalar((value, fail) => {
  const address = readAddress(value, fail);
  const first = address.number >>> 24;
  if (first === 0 || first >= 224) return fail('is not the address of a host; write a unicast address');
  return address.text;
});

/** An IPv4 address that other machines can reach: not loopback either. */
export const reachableAddress = scalar((value, fail) => {
  const address = readAddress(value, fail);
  const first = address.number >>> 24;
  if (first === 127)
    return fail('is a loopback address, which no other machine can reach; write one of an interface');
  if (first === 0) return fail('is not the address of a host; write that of an interface of this machine');
  if (first >= 224)
    return fail('is a multicast or reserved address; write that of an interface of this machine');
  return address.text;
});

/** A BGP identifier: four octets in dotted form, not zero (RFC 6286). */
export const identifier = scalar((value, fail) => {
  const address = readAddress(value, fail);
  return address.number === 0 ? fail('is not a BGP identifier; write any other (RFC 6286)') : address.text;
});

function readAddress(value: unknown, fail: Fail): { number: number; text: string } {
  if (typeof value === 'string') {
    const number = parseIPv4(value);
    if (number !== undefined) return { number, text: value };
    if (value.includes(':'))
      return fail('is an IPv6 address, which this version does not support; write an IPv4 one');
    if (parseCidr(value)) return fail(`is a range; write an address without "/${value.split('/')[1]}"`);
  }
  return fail('is not an IPv4 address; write four numbers of 0 to 255, such as 10.0.0.1');
}

/** An IPv4 range without host bits. */
export const cidr = scalar((value, fail) => {
  if (typeof value === 'string') {
    const found = parseCidr(value);
    if (found !== undefined) {
      const network = networkOf(found);
      if (network.address === found.address) return value;
      return fail(`has bits set beyond its length of ${found.length}; write ${formatCidr(network)}`);
    }
    if (value.includes(':'))
      return fail('is an IPv6 range, which this version does not support; write an IPv4 one');
    if (parseIPv4(value) !== undefined)
      return fail(`has no length; write ${value}/LENGTH, such as ${value}/32`);
  }
  return fail('is not an IPv4 range; write ADDRESS/LENGTH, such as 10.244.1.0/26');
});

/** An IPv4 address and a TCP port, "10.0.0.1:179". */
export interface Endpoint {
  address: string;
  port: number;
}

/** Reads "ADDRESS:PORT"; undefined when the value is anything else. */
export function parseEndpoint(value: unknown): Endpoint | undefined {
  const match = typeof value === 'string' ? /^([\d.]+):(\d{1,5})$/.exec(value) : null;
  if (match === null || parseIPv4(match[1]) === undefined) return undefined;
  const number = Number(match[2]);
  return number >= 1 && number <= 65535 ? { address: match[1], port: number } : undefined;
}

/** Where to listen: "ADDRESS:PORT". */
export const endpoint = scalar(
  (value, fail) =>
    parseEndpoint(value) ??
    fail('is not ADDRESS:PORT; write an IPv4 address and a port, such as 10.0.0.1:179'),
);

/** Where to listen, or `off` for not at all (null). */
export const endpointOrOff = scalar((value, fail) => {
  if (value === 'off' || value === false) return null;
  return (
    parseEndpoint(value) ?? fail('is neither ADDRESS:PORT nor off; write one of them, such as 127.0.0.1:9179')
  );
});

/** An absolute path. */
export const path = scalar((value, fail) => {
  if (typeof value !== 'string' || !value.startsWith('/') || value.includes('\0')) {
    return fail('is not an absolute path; begin it with "/"');
  }
  return value;
});

/** The path of a Unix socket: absolute, at most 107 octets (unix(7)). */
export const socketPath = scalar((value, fail) => {
  if (typeof value !== 'string' || !value.startsWith('/') || value.includes('\0')) {
    return fail('is not an absolute path; begin it with "/"');
  }
  if (Buffer.byteLength(value) > 107)
    return fail('is longer than the 107 octets of a Unix socket; choose a shorter path');
  return value;
});
