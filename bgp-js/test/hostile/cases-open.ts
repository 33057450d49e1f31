/** Cases 7–20: OPEN (RFC 4271 §6.2, 5492, 6793, 9072) and messages in the wrong state (RFC 6608); 19 is a test apart. */
import { openBytes } from 'bgp-js-testing/index.ts';
import { KEEPALIVE } from '../../wire/index.ts';
import {
  ATTACKER_AS,
  accepted,
  type HostileCase,
  LOCAL_AS,
  message,
  octets,
  rawOpen,
  reset,
  update,
  validOpen,
} from './hostile-case.ts';

const as4 = octets(0, 0, ATTACKER_AS >> 8, ATTACKER_AS & 0xff);
const as4Capability = { code: 65, value: as4 };
const ipv4 = { code: 1, value: octets(0, 1, 0, 1) };
const as4Octets = [65, 4, ...as4];

type Fields = Parameters<typeof openBytes>[1];

/** An OPEN of the attacker with these fields. */
const open = (fields: Fields): Uint8Array => openBytes(ATTACKER_AS, { identifier: 0x0a000009, ...fields });
const refusedOpen = (
  number: number,
  what: string,
  bytes: Uint8Array,
  subcode: number,
  data?: number[],
): HostileCase => ({
  number,
  what,
  state: 'OpenSent',
  send: [bytes],
  expect: reset(2, subcode, data),
});
const acceptedOpen = (number: number, what: string, bytes: Uint8Array): HostileCase => ({
  number,
  what,
  state: 'OpenSent',
  send: [bytes, KEEPALIVE, ...targetOnce],
  expect: accepted(),
});
const targetOnce = [
  update([octets(0x40, 1, 1, 0), octets(0x40, 2, 6, 2, 1, ...as4), octets(0x40, 3, 4, 192, 0, 2, 9)]),
];
const capabilities = (...list: { code: number; value: Uint8Array }[]): Uint8Array =>
  open({ capabilities: [ipv4, as4Capability, ...list] });
const badLength = (number: number, what: string, code: number, length: number): HostileCase => {
  const accept = acceptedOpen(number, what, capabilities({ code, value: new Uint8Array(length) }));
  return { ...accept, expect: [...accept.expect, ...reset(2, 0)] };
};

export const openCases: HostileCase[] = [
  refusedOpen(7, 'version 3', open({ version: 3 }), 1, [0, 4]),
  refusedOpen(7, 'version 5', open({ version: 5 }), 1, [0, 4]),
  refusedOpen(8, 'another AS', openBytes(65009), 2),
  refusedOpen(8, 'AS field 0', open({ as: 0 }), 2),
  refusedOpen(
    8,
    'capability 65 says AS 0',
    open({ capabilities: [ipv4, { code: 65, value: octets(0, 0, 0, 0) }] }),
    2,
  ),
  refusedOpen(9, 'identifier 0', open({ identifier: 0 }), 3),
  {
    ...refusedOpen(9, 'our identifier on iBGP', openBytes(LOCAL_AS, { identifier: 0x0a000001 }), 3),
    ibgp: true,
  },
  refusedOpen(10, 'hold time 1', open({ holdTime: 1 }), 6),
  refusedOpen(10, 'hold time 2', open({ holdTime: 2 }), 6),
  refusedOpen(11, 'optional parameter 99', rawOpen(3, 99, 1, 0), 4),
  refusedOpen(12, 'a parameter longer than the OPEN', rawOpen(4, 2, 40, 1, 4), 0),
  refusedOpen(12, 'parameters longer than the OPEN', rawOpen(200, 2, 2, 2, 0), 0),
  refusedOpen(12, 'a parameter truncated after its type', rawOpen(1, 2), 0),
  refusedOpen(13, 'a capability longer than its parameter', rawOpen(4, 2, 2, 65, 4), 0),
  refusedOpen(13, 'a capability truncated after its code', rawOpen(3, 2, 1, 65), 0),
  refusedOpen(13, 'capability 65 of length 0', rawOpen(4, 2, 2, 65, 0), 0),
  acceptedOpen(14, 'the extended form of RFC 9072', rawOpen(255, 255, 0, 9, 2, 0, 6, ...as4Octets)),
  acceptedOpen(14, 'the extended form after a length of 1', rawOpen(1, 255, 0, 9, 2, 0, 6, ...as4Octets)),
  refusedOpen(14, 'the extended form, truncated', rawOpen(255, 255, 0, 30, 2, 0, 27, ...as4Octets), 0),
  refusedOpen(14, 'the extended form without a length', rawOpen(255, 255, 0), 0),
  acceptedOpen(15, 'a capability twice', capabilities(ipv4, as4Capability)),
  acceptedOpen(15, 'an unknown capability', capabilities({ code: 239, value: new Uint8Array(7) })),
  acceptedOpen(16, 'software version of length 0', capabilities({ code: 75, value: new Uint8Array(0) })),
  acceptedOpen(
    16,
    'software version of 255 octets',
    capabilities({ code: 75, value: new Uint8Array(255).fill(7) }),
  ),
  badLength(17, 'graceful restart of length 1', 64, 1),
  badLength(17, 'graceful restart of length 3', 64, 3),
  badLength(17, 'long-lived graceful restart of length 3', 71, 3),
  { number: 18, what: 'UPDATE in OpenSent', state: 'OpenSent', send: targetOnce, expect: reset(5, 1) },
  { number: 18, what: 'UPDATE in OpenConfirm', state: 'OpenConfirm', send: targetOnce, expect: reset(5, 2) },
  { number: 18, what: 'OPEN in Established', send: [validOpen({})], expect: reset(5, 3) },
  { number: 18, what: 'malformed OPEN in Established', send: [rawOpen(9, 9)], expect: reset(5, 3) },
  { number: 18, what: 'KEEPALIVE in OpenSent', state: 'OpenSent', send: [KEEPALIVE], expect: reset(5, 1) },
  {
    number: 20,
    what: 'dynamic capability not negotiated',
    send: [message(6, octets(0, 1, 2))],
    expect: reset(1, 3, [6]),
  },
];
