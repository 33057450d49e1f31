/**
 * The types of the values in configuration files, for zod. A message follows the value found, which the loader puts in
 * front of it: what is wrong, and what to do.
 */
import { type IPAddress, IPPrefix, parseAddress, parseInterfaceAddress } from 'bgp-js/ip';
import * as z from 'zod';

type Fail = (message: string) => never;

/** Thrown by `fail` to leave a reader; caught in `scalar`. */
class Rejected extends Error {}

/** A zod type that reads one value. `fail` reports a message and does not return. */
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
      issue.code === 'invalid_type'
        ? `is not a mapping; write "key: value" pairs with the keys ${keys}`
        : undefined,
  });
}

/** A mapping that may be missing or empty, with defaults of its own. */
export function optionalSection<T extends z.ZodRawShape>(shape: T) {
  return z.preprocess((value) => value ?? {}, section(shape));
}

/** A list; empty if it is missing. */
export function list<T extends z.ZodType>(element: T) {
  const type = z.array(element, { error: 'is not a list; write [A, B] or one "- …" per line' });
  return z.preprocess((value) => value ?? [], type);
}

/** Text on one line, not empty, of at most `maximumBytes` bytes of UTF-8. */
export function text(maximumBytes = 255) {
  return scalar((value, fail) => {
    if (typeof value !== 'string') return fail('is not text; put it in quotes');
    if (value.trim() === '') return fail('is empty; write a value or remove the key');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
    if (/[\u0000-\u001f\u007f]/.test(value))
      return fail('contains control characters; write one line of plain text');
    const bytes = Buffer.byteLength(value);
    if (bytes > maximumBytes) return fail(`is ${bytes} bytes long; at most ${maximumBytes} are allowed`);
    return value;
  });
}

/** One of these words. */
export function oneOf<const T extends string>(...words: readonly T[]) {
  return scalar((value, fail): T => {
    const found = words.find((word) => word === value);
    return (
      found ?? fail(`is not a valid value; use ${words.length === 1 ? '' : 'one of '}${words.join(', ')}`)
    );
  });
}

/** true or false. */
export const flag = scalar((value, fail) =>
  typeof value === 'boolean' ? value : fail('is not a boolean; write true or false, without quotes'),
);

/** A whole number from `minimum` to `maximum`. */
export function integer(minimum: number, maximum: number) {
  return scalar((value, fail) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum)
      return value;
    if (typeof value === 'number' && Number.isInteger(value))
      return fail(`is out of range (${minimum}–${maximum})`);
    const quotes = typeof value === 'string' ? ', without quotes' : '';
    return fail(`is not a whole number; write one of ${minimum}–${maximum}${quotes}`);
  });
}

/** A TCP port. */
export const port = integer(1, 65535);

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

/** Reads a duration in seconds: 90, "90s", "5m", "2h" or "1d"; undefined for anything else. */
function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? value : undefined;
  const match = typeof value === 'string' ? /^(\d{1,9})([smhd])$/.exec(value) : null;
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]];
}

/** A duration of `minimum` to `maximum` seconds. */
export function duration(minimum: number, maximum: number) {
  return scalar((value, fail) => {
    const seconds = parseDuration(value);
    if (seconds === undefined)
      return fail('is not a duration; write seconds, or a number with s, m, h or d, such as 90 or 5m');
    if (seconds >= minimum && seconds <= maximum) return seconds;
    return fail(`is out of range (${minimum}–${maximum} seconds)`);
  });
}

/** A BGP hold time: 0 for no keepalives, or 3 seconds and more (RFC 4271 §4.2). */
export const holdTime = scalar((value, fail) => {
  const seconds = parseDuration(value);
  if (seconds === undefined)
    return fail('is not a duration; write seconds, or a number with s, m or h, such as 90 or 3m');
  if (seconds === 0 || (seconds >= 3 && seconds <= 65535)) return seconds;
  return fail('is not a valid hold time; write 0 (no keepalives) or 3–65535 seconds (RFC 4271 §4.2)');
});

const RESERVED_AS = new Map([
  [0, 'is reserved (RFC 7607)'],
  [23456, 'is AS_TRANS, a placeholder for four-octet AS numbers (RFC 6793)'],
  [65535, 'is reserved (RFC 7300)'],
  [4294967295, 'is reserved (RFC 7300)'],
]);

/** A two-octet or four-octet AS number in plain notation (asplain, RFC 5396). */
export const asNumber = scalar((value, fail) => {
  const wanted = 'write a whole number, 1–4294967294';
  if (typeof value === 'string' && /^\d+$/.test(value))
    return fail('is text; write the AS number without quotes');
  // YAML reads dotted notation as a decimal fraction and loses trailing zeros: 1.10 would become AS 1.1.
  const dotted =
    typeof value === 'number' ? !Number.isInteger(value) && value > 0 : /^\d+\.\d+$/.test(String(value));
  if (dotted) return fail('is an AS number in dotted notation; write the plain number, high × 65536 + low');
  if (typeof value !== 'number' || !Number.isInteger(value)) return fail(`is not an AS number; ${wanted}`);
  const reserved = RESERVED_AS.get(value);
  if (reserved !== undefined) return fail(`${reserved}; ${wanted}, such as a private one (64512–65534)`);
  return value > 0 && value < 4294967295 ? value : fail(`is not an AS number; ${wanted}`);
});

/** An IPv4 address of a host that other machines can reach, so not a loopback address. */
export const reachableAddress = scalar((value, fail) => {
  const address = readIPv4(value, fail);
  const first = address.value >>> 24;
  if (first === 127)
    return fail('is a loopback address, which no other machine can reach; write the address of an interface');
  if (first === 0) return fail('is not a host address; write the address of an interface of this machine');
  if (first >= 224)
    return fail('is a multicast or reserved address; write the address of an interface of this machine');
  return address;
});

/** A BGP identifier: four octets in dotted form, not zero (RFC 6286). */
export const identifier = scalar((value, fail) => {
  const address = readIPv4(value, fail);
  return address.isUnspecified
    ? fail('is not a valid BGP identifier; use any other address (RFC 6286)')
    : address;
});

/** Neither 0/8 nor multicast or reserved. */
function isHostIPv4(address: IPAddress): boolean {
  const first = address.value >>> 24;
  return first !== 0 && first < 224;
}

function readIPv4(value: unknown, fail: Fail): IPAddress {
  if (typeof value === 'string') {
    const address = parseAddress(value);
    if (address?.version === 4) return address;
    if (address !== null)
      return fail('is an IPv6 address, which is not supported here; write an IPv4 address');
    if (parseInterfaceAddress(value))
      return fail(`is a prefix, not an address; remove "/${value.split('/')[1]}"`);
  }
  return fail('is not an IPv4 address (example: 10.0.0.1)');
}

/** An IPv4 or IPv6 address of a host; a link-local one with its interface, `fe80::1%eth0`. */
export const anyHostAddress = scalar((value, fail) => {
  if (typeof value !== 'string' || !value.includes(':')) {
    const address = readIPv4(value, fail);
    return isHostIPv4(address) ? address : fail('is not a host address; write a unicast address');
  }
  const address = parseAddress(value);
  if (address === null) return fail('is not an IP address (example: 10.0.0.1 or 2001:db8::1)');
  if (address.version === 6 && address.isLinkLocal && address.zone === '')
    return fail('is a link-local address without its interface; write ADDRESS%INTERFACE');
  const isMulticast = address.version === 6 && address.w0 >>> 24 === 0xff;
  if (isMulticast || address.isUnspecified) return fail('is not a host address; write a unicast address');
  return address;
});

/** An IPv4 prefix without host bits. */
export const ipv4Prefix = scalar((value, fail) => {
  const prefix = readPrefix(value, fail, 'is not an IPv4 prefix (example: 10.244.1.0/26)');
  if (prefix.version === 4) return prefix;
  return fail('is an IPv6 prefix, which is not supported here; write an IPv4 prefix');
});

/** A prefix of either family without host bits. */
export const anyPrefix = scalar((value, fail) =>
  readPrefix(value, fail, 'is not a prefix (example: 10.0.0.0/24 or 2001:db8::/64)'),
);

function readPrefix(value: unknown, fail: Fail, otherwise: string): IPPrefix {
  if (typeof value !== 'string') return fail(otherwise);
  const found = parseInterfaceAddress(value);
  if (found === null) {
    const address = parseAddress(value);
    if (address === null) return fail(otherwise);
    return fail(`is an address without a prefix length; write ${address}/LENGTH`);
  }
  if (found.address.zone !== '')
    return fail('has an interface, which a prefix cannot have; remove "%" and what follows');
  const prefix = IPPrefix.of(found.address, found.length);
  if (prefix.address.sameBits(found.address)) return prefix;
  return fail(`has host bits set; did you mean ${prefix}?`);
}

/** An address and a TCP port: "10.0.0.1:179" or "[2001:db8::1]:179". */
export interface Endpoint {
  address: IPAddress;
  port: number;
}

/** The text of an endpoint, with an IPv6 address in brackets. */
export function formatEndpoint({ address, port }: Endpoint): string {
  return address.version === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Reads "ADDRESS:PORT" or "[ADDRESS]:PORT"; undefined for anything else. */
export function parseEndpoint(value: unknown): Endpoint | undefined {
  const match = typeof value === 'string' ? /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(value) : null;
  if (match === null) return undefined;
  const address = parseAddress(match[1] ?? match[2]);
  const number = Number(match[3]);
  return address !== null && number >= 1 && number <= 65535 ? { address, port: number } : undefined;
}

/** Where to listen for HTTP, or `off` (null). */
export const httpEndpoint = scalar((value, fail) => {
  if (value === 'off' || value === false) return null;
  const wrong = 'is neither ADDRESS:PORT nor off (example: 127.0.0.1:9179 or [::1]:9179)';
  return parseEndpoint(value) ?? fail(wrong);
});

/** An absolute path. */
export const path = scalar((value, fail) => {
  if (typeof value !== 'string' || !value.startsWith('/') || value.includes('\0')) {
    return fail('is not an absolute path; it must start with "/"');
  }
  return value;
});

/** The path of a Unix socket: absolute, at most 107 bytes (unix(7)). */
export const socketPath = scalar((value, fail) => {
  if (typeof value !== 'string' || !value.startsWith('/') || value.includes('\0')) {
    return fail('is not an absolute path; it must start with "/"');
  }
  if (Buffer.byteLength(value) > 107)
    return fail('is longer than 107 bytes, the limit of a Unix socket path; choose a shorter one');
  return value;
});
