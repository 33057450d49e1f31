/** Looking into the plain content of a configuration file, any part of which may be missing or of a wrong kind. */

import { type Cidr, parseCidr, parseIPv4 } from '../ipv4.ts';
import type { KeyPath } from './document.ts';
import { parseEndpoint } from './values.ts';

/** The value at a path; undefined when there is none. */
export function valueAt(content: unknown, path: KeyPath): unknown {
  let value = content;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

/** The elements at a path; none when there is no list. */
export function listAt(content: unknown, path: KeyPath): unknown[] {
  const value = valueAt(content, path);
  return Array.isArray(value) ? value : [];
}

/** The text at a path; undefined when there is none. */
export function textAt(content: unknown, path: KeyPath): string | undefined {
  const value = valueAt(content, path);
  return typeof value === 'string' ? value : undefined;
}

/** The IPv4 address at a path; undefined when there is no valid one. */
export function addressAt(content: unknown, path: KeyPath): number | undefined {
  return parseIPv4(textAt(content, path) ?? '');
}

/** The IPv4 range at a path; undefined when there is no valid one. */
export function cidrAt(content: unknown, path: KeyPath): Cidr | undefined {
  return parseCidr(textAt(content, path) ?? '');
}

/** The address at which a path says to listen, as a number; undefined when there is no valid one. */
export function listenAddressAt(content: unknown, path: KeyPath): number | undefined {
  return parseIPv4(parseEndpoint(valueAt(content, path))?.address ?? '');
}
