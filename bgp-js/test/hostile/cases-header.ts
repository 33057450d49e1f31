/** Cases 1–6: the message header (RFC 4271 §6.1) and the stream. */
import { KEEPALIVE } from '../../wire/index.ts';
import { accepted, type HostileCase, message, NONE, octets, reset, withAttributes } from './hostile-case.ts';

const validUpdate = withAttributes();
const zeros = (count: number): Uint8Array => new Uint8Array(count);

export const headerCases: HostileCase[] = [
  { number: 1, what: 'marker not all ones', send: [message(4, NONE, { marker: 0xfe })], expect: reset(1, 1) },
  { number: 2, what: 'length 18', send: [message(4, NONE, { length: 18 })], expect: reset(1, 2, [0, 18]) },
  { number: 2, what: 'length 0', send: [message(2, NONE, { length: 0 })], expect: reset(1, 2, [0, 0]) },
  {
    number: 3,
    what: 'length 4097 without RFC 8654',
    send: [message(2, NONE, { length: 4097 })],
    expect: reset(1, 2, [16, 1]),
  },
  {
    number: 3,
    what: 'length 65535',
    send: [message(2, NONE, { length: 65535 })],
    expect: reset(1, 2, [255, 255]),
  },
  {
    number: 4,
    what: 'OPEN of 28 octets',
    state: 'OpenSent',
    send: [message(1, zeros(9))],
    expect: reset(1, 2, [0, 28]),
  },
  { number: 4, what: 'UPDATE of 22 octets', send: [message(2, zeros(3))], expect: reset(1, 2, [0, 22]) },
  { number: 4, what: 'KEEPALIVE of 20 octets', send: [message(4, zeros(1))], expect: reset(1, 2, [0, 20]) },
  // RFC 4271 §6.4: an error in a NOTIFICATION is logged and not answered.
  { number: 4, what: 'NOTIFICATION of 20 octets', send: [message(3, zeros(1))], expect: [{ kind: 'close' }] },
  { number: 5, what: 'message type 0', send: [message(0, NONE)], expect: reset(1, 3, [0]) },
  { number: 5, what: 'message type 255', send: [message(255, zeros(40))], expect: reset(1, 3, [255]) },
  {
    number: 6,
    what: 'one octet at a time',
    send: [...validUpdate].map((octet) => octets(octet)),
    expect: accepted(),
  },
  {
    number: 6,
    what: '500 messages in one segment',
    send: [Buffer.concat([...Array.from({ length: 499 }, () => KEEPALIVE), validUpdate])],
    expect: accepted(),
  },
  {
    number: 6,
    what: 'a message cut within its header, the rest later',
    send: [validUpdate.slice(0, 17), validUpdate.slice(17)],
    expect: accepted(),
  },
];
