/** Addresses and prefixes from text, for tests; both throw for text that is not one. */
import { addressFrom, type IPAddress, type IPPrefix, prefixFrom } from '../../ip/index.ts';

export const ip = (text: string): IPAddress => addressFrom(text, 'address');
export const prefix = (text: string): IPPrefix => prefixFrom(text, 'prefix');
