/** Mutations of valid sessions: by octets, by lengths, by attributes and by messages. */

import { eachAttribute } from 'bgp-js/wire/attribute-types.ts';
import { readU16, writeU16 } from 'bgp-js/wire/cursor.ts';
import { MAX_MESSAGE_LENGTH, MessageType } from 'bgp-js/wire/frame.ts';
import { decodeMessage, isError } from 'bgp-js/wire/message.ts';
import { encodeUpdate } from 'bgp-js/wire/update.ts';
import type { Random } from '../simulator/random.ts';
import type { Program } from './program.ts';

/** Octets at the limits of what decoders distinguish. */
const EDGES = [0, 1, 2, 3, 4, 5, 6, 8, 12, 16, 20, 24, 25, 31, 32, 33, 63, 64, 127, 128, 129, 224, 254, 255];

/** The program with some of its messages damaged, and sometimes its OPEN. */
export function mutateProgram(random: Random, program: Program): Program {
  const messages = program.messages.map((message) =>
    random.chance(0.4) ? mutate(random, message) : message,
  );
  if (random.chance(0.1)) messages.push(random.octets(random.below(64)));
  if (random.chance(0.05)) messages.splice(random.below(messages.length), 0, program.open);
  const open = random.chance(0.08) ? mutate(random, program.open) : program.open;
  return { ...program, open, messages };
}

function mutate(random: Random, message: Uint8Array): Uint8Array {
  const update = message[18] === MessageType.update;
  let result = message;
  for (let rounds = 1 + random.below(3); rounds > 0; rounds--) {
    result = update && random.chance(0.6) ? mutateAttributes(random, result) : mutateOctets(random, result);
  }
  return result;
}

/** Changes octets after the header, rarely in it; when the length changes, the header's is mostly corrected. */
function mutateOctets(random: Random, message: Uint8Array): Uint8Array {
  const inHeader = random.chance(0.03) || message.length <= 19;
  const at = inHeader ? random.below(19) : 19 + random.below(message.length - 19);
  const count = 1 + random.below(8);
  const copy = message.slice();
  switch (random.below(6)) {
    case 0:
      copy[at] ^= 1 << random.below(8);
      return copy;
    case 1:
      copy[at] = random.pick(EDGES);
      return copy;
    case 2:
      writeU16(copy, Math.min(at, copy.length - 2), readU16(copy, at) + random.pick([-4, -2, -1, 1, 2, 4]));
      return copy;
    case 3:
      return reframed(random, Buffer.concat([copy.subarray(0, at), copy.subarray(at + count)]));
    case 4:
      return reframed(random, Buffer.concat([copy.subarray(0, at), random.octets(count), copy.subarray(at)]));
    default:
      return reframed(random, Buffer.concat([copy.subarray(0, at + count), copy.subarray(at)]));
  }
}

function reframed(random: Random, buffer: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(buffer);
  if (bytes.length >= 19 && random.chance(0.95)) writeU16(bytes, 16, bytes.length);
  return bytes;
}

/** Changes one attribute of an UPDATE; the lengths around it stay correct. */
function mutateAttributes(random: Random, message: Uint8Array): Uint8Array {
  const decoded = decodeMessage(message);
  if (isError(decoded) || decoded.type !== 'update') return mutateOctets(random, message);
  const list: Uint8Array[] = [];
  const { attributes } = decoded;
  eachAttribute(attributes, 0, attributes.length, (_type, _flags, _from, to, at) => {
    list.push(attributes.slice(at, to));
  });
  if (list.length === 0) return mutateOctets(random, message);
  changeOne(random, list);
  const changed = Buffer.concat(list);
  const room = MAX_MESSAGE_LENGTH - 23 - decoded.withdrawn.length - decoded.nlri.length;
  if (changed.length > room) return message;
  return encodeUpdate(decoded.withdrawn, changed, decoded.nlri);
}

function changeOne(random: Random, list: Uint8Array[]): void {
  const index = random.below(list.length);
  const attribute = list[index];
  const other = random.below(list.length);
  const value = attribute.subarray((attribute[0] & 0x10) !== 0 ? 4 : 3);
  const resized = [
    value.subarray(1),
    value.subarray(0, -1),
    Buffer.concat([value, value]),
    new Uint8Array(0),
  ];
  switch (random.below(8)) {
    case 0:
      list.splice(index, 1);
      return;
    case 1:
      list.splice(other, 0, attribute.slice());
      return;
    case 2:
      [list[index], list[other]] = [list[other], attribute];
      return;
    case 3:
      attribute[0] ^= 1 << (4 + random.below(4));
      return;
    case 4:
      attribute[1] = random.chance(0.5) ? random.below(41) : random.below(256);
      return;
    case 5:
      list[index] = framed(attribute[0], attribute[1], random.pick(resized));
      return;
    case 6:
      list[index] = framed(attribute[0], attribute[1], random.octets(random.below(24)));
      return;
    default:
      if (value.length > 0) value[random.below(value.length)] = random.pick(EDGES);
  }
}

/** An attribute with these flags; only the extended-length bit follows from the length. */
function framed(flags: number, type: number, value: Uint8Array): Uint8Array {
  if (value.length > 255)
    return Buffer.concat([Uint8Array.of(flags | 0x10, type, value.length >> 8, value.length), value]);
  return Buffer.concat([Uint8Array.of(flags & ~0x10, type, value.length), value]);
}
