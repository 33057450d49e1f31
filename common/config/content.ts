/** Reads values from the plain content of a configuration file, any part of which may be missing or of a wrong type. */

import { type IPAddress, IPPrefix, parseAddress, parseInterfaceAddress } from 'bgp-js/ip';
import type { KeyPath } from './document.ts';
import { parseEndpoint } from './values.ts';

/** The value at a path; undefined if it is missing. */
export function valueAt(content: unknown, path: KeyPath): unknown {
  let value = content;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

/** The elements of the list at a path; none if it is not a list. */
export function listAt(content: unknown, path: KeyPath): unknown[] {
  const value = valueAt(content, path);
  return Array.isArray(value) ? value : [];
}

/** The text at a path; undefined if it is not text. */
export function textAt(content: unknown, path: KeyPath): string | undefined {
  const value = valueAt(content, path);
  return typeof value === 'string' ? value : undefined;
}

/** The address at a path; undefined if it is not valid. */
export function addressAt(content: unknown, path: KeyPath): IPAddress | undefined {
  return parseAddress(textAt(content, path) ?? '') ?? undefined;
}

/** The prefix at a path, with its host bits cleared; undefined if it is not valid or has no length. */
export function prefixAt(content: unknown, path: KeyPath): IPPrefix | undefined {
  const found = parseInterfaceAddress(textAt(content, path) ?? '');
  return found === null ? undefined : IPPrefix.of(found.address, found.length);
}

/** The address at which a path says to listen; undefined when there is no valid endpoint. */
export function listenAddressAt(content: unknown, path: KeyPath): IPAddress | undefined {
  return parseEndpoint(valueAt(content, path))?.address;
}
