/** Cases 46–59 and 61: attributes and messages of later RFCs, known or not. */
import { encodeNotification } from '../../wire/index.ts';
import { REACH6 } from './cases-update.ts';
import {
  ATTACKER_AS,
  accepted,
  attribute,
  discarded,
  type HostileCase,
  message,
  NEXT_HOP,
  NONE,
  ORIGIN,
  octets,
  type Reaction,
  reset,
  update,
  withAttributes,
  withdrawn,
  withPath,
} from './hostile-case.ts';

const [high, low] = [ATTACKER_AS >> 8, ATTACKER_AS & 0xff];
const as = [0, 0, high, low];
const twoOctetPath = attribute(0x40, 2, 2, 1, high, low);
const fill = (count: number, ...pattern: number[]): number[] =>
  Array.from({ length: count }, (_, i) => pattern[i % pattern.length]);
const longPath = attribute(
  0x40,
  2,
  2,
  255,
  ...as,
  ...fill(254 * 4, 0, 0, 0xfd, 0xe9),
  2,
  255,
  ...fill(1020, 0, 0, 0xfd, 0xea),
);
const manyCommunities = attribute(0xc0, 8, ...fill(3900, 0xfd, 0xe9, 0, 1));
const refresh = (...body: number[]): Uint8Array => message(5, octets(...body));
const oneOf = (...lists: Reaction[][]): Reaction[] => lists.flat();
const withTwoOctets = (...more: Uint8Array[]): Uint8Array =>
  update([ORIGIN, twoOctetPath, NEXT_HOP, ...more]);
const goodbye = (data: number[]): Uint8Array =>
  encodeNotification({ code: 6, subcode: 2, data: octets(...data) });

const multiprotocol: HostileCase[] = [
  {
    number: 46,
    what: 'MP_REACH next hop overruns',
    send: [update([attribute(0x80, 14, 0, 2, 1, 200, 1, 2)], NONE)],
    expect: reset(3, 1),
  },
  {
    number: 46,
    what: 'MP_REACH of 4 octets',
    send: [update([attribute(0x80, 14, 0, 2, 1, 0)], NONE)],
    expect: reset(3, 1),
  },
  {
    number: 47,
    what: 'MP_UNREACH of 2 octets',
    send: [update([attribute(0x80, 15, 0, 1)], NONE)],
    expect: reset(3, 9),
  },
  {
    number: 48,
    what: 'MP_REACH of IPv6, not negotiated',
    send: [withAttributes(REACH6)],
    expect: accepted({ dropped: 14 }),
  },
  {
    number: 48,
    what: 'MP_REACH of AFI 99',
    send: [withAttributes(attribute(0x80, 14, 0, 99, 1, 0, 0))],
    expect: accepted({ dropped: 14 }),
  },
  {
    number: 58,
    what: 'FlowSpec of a bad length, not negotiated',
    send: [withAttributes(attribute(0x80, 14, 0, 1, 133, 0, 0, 0xf0, 1))],
    expect: accepted({ dropped: 14 }),
  },
];

const communities: HostileCase[] = [
  {
    number: 49,
    what: 'extended communities of 9 octets',
    send: [withAttributes(attribute(0xc0, 16, ...fill(9, 0)))],
    expect: withdrawn,
  },
  {
    number: 49,
    what: 'extended communities of 0 octets',
    send: [withAttributes(attribute(0xc0, 16))],
    expect: withdrawn,
  },
  {
    number: 49,
    what: 'large communities of 13 octets',
    send: [withAttributes(attribute(0xc0, 32, ...fill(13, 0)))],
    expect: withdrawn,
  },
  {
    number: 49,
    what: 'large communities of 0 octets',
    send: [withAttributes(attribute(0xc0, 32))],
    expect: withdrawn,
  },
];

const as4: HostileCase[] = [
  {
    number: 50,
    what: 'AS4_PATH from a four-octet peer',
    send: [withAttributes(attribute(0xc0, 17, 2, 1, ...as))],
    expect: discarded(17),
  },
  {
    number: 50,
    what: 'AS4_AGGREGATOR from a four-octet peer',
    send: [withAttributes(attribute(0xc0, 18, ...as, 1, 2, 3, 4))],
    expect: discarded(18),
  },
  {
    number: 50,
    what: 'AS4_PATH malformed',
    twoOctet: true,
    send: [withTwoOctets(attribute(0xc0, 17, 2, 9, ...as))],
    expect: discarded(17),
  },
  {
    number: 50,
    what: 'AS4_AGGREGATOR of length 6',
    twoOctet: true,
    send: [withTwoOctets(attribute(0xc0, 18, 0, 0, 1, 2, 3, 4))],
    expect: discarded(18),
  },
  {
    number: 50,
    what: 'AS4_PATH before AS_PATH',
    twoOctet: true,
    send: [update([attribute(0xc0, 17, 2, 1, ...as), ORIGIN, twoOctetPath, NEXT_HOP])],
    expect: accepted({ dropped: 17 }),
  },
  {
    number: 50,
    what: 'AS4_PATH without AS_PATH',
    twoOctet: true,
    send: [update([attribute(0xc0, 17, 2, 1, ...as), ORIGIN, NEXT_HOP])],
    expect: withdrawn,
  },
];

const unknown: HostileCase[] = [
  {
    number: 51,
    what: 'attribute 23 corrupt',
    send: [withAttributes(attribute(0xc0, 23, 255, 255))],
    expect: accepted({ passedOn: octets(0xe0, 23, 2, 255, 255) }),
  },
  {
    number: 52,
    what: 'AIGP of length 2',
    send: [withAttributes(attribute(0x80, 26, 1, 0))],
    expect: oneOf(accepted({ dropped: 26 }), discarded(26)),
  },
  {
    number: 52,
    what: 'Prefix-SID of length 1',
    send: [withAttributes(attribute(0xc0, 40, 1))],
    expect: oneOf(accepted({ passedOn: octets(0xe0, 40, 1, 1) }), discarded(40)),
  },
  {
    number: 53,
    what: 'OTC of length 3',
    send: [withAttributes(attribute(0xc0, 35, 0, 0, 1))],
    expect: oneOf(accepted({ passedOn: octets(0xe0, 35, 3, 0, 0, 1) }), withdrawn),
  },
  {
    number: 54,
    what: 'unknown well-known attribute 99',
    send: [withAttributes(attribute(0x40, 99, 1))],
    expect: reset(3, 2, [0x40, 99, 1, 1]),
  },
  {
    number: 54,
    what: 'attribute 0, well-known by its flags',
    send: [withAttributes(attribute(0x40, 0))],
    expect: reset(3, 2),
  },
  {
    number: 55,
    what: 'unknown optional transitive',
    send: [withAttributes(attribute(0xc0, 99, 7))],
    expect: accepted({ passedOn: octets(0xe0, 99, 1, 7) }),
  },
  {
    number: 55,
    what: 'unknown optional non-transitive',
    send: [withAttributes(attribute(0x80, 99, 7))],
    expect: accepted({ dropped: 99 }),
  },
  {
    number: 56,
    what: 'extended-length flag, short length',
    send: [
      update([
        octets(0x50, 1, 0, 1, 0),
        octets(0x50, 2, 0, 6, 2, 1, ...as),
        octets(0x50, 3, 0, 4, 192, 0, 2, 9),
      ]),
    ],
    expect: accepted(),
  },
  { number: 56, what: 'AS_PATH of 510 numbers', send: [withPath(longPath)], expect: accepted() },
  {
    number: 56,
    what: 'COMMUNITIES of 3,900 octets',
    send: [withAttributes(manyCommunities)],
    expect: accepted(),
  },
  {
    number: 57,
    what: 'path ids that were not negotiated',
    send: [update([ORIGIN, attribute(0x40, 2, 2, 1, ...as), NEXT_HOP], octets(0, 0, 0, 1, 24, 198, 51, 100))],
    // Read as 0/0 three times, a /1 and a /198.
    expect: reset(3, 10),
  },
];

const other: HostileCase[] = [
  {
    number: 59,
    what: 'ROUTE-REFRESH of an unknown family',
    send: [refresh(0, 99, 0, 1)],
    expect: accepted(),
  },
  { number: 59, what: 'ROUTE-REFRESH of subtype 77', send: [refresh(0, 1, 77, 1)], expect: accepted() },
  { number: 59, what: 'ROUTE-REFRESH of 3 octets', send: [refresh(0, 1, 0)], expect: reset(7, 1) },
  { number: 59, what: 'ROUTE-REFRESH of no octets', send: [refresh()], expect: reset(7, 1) },
  { number: 59, what: 'truncated ORF', send: [refresh(0, 1, 0, 1, 1, 64, 0, 99)], expect: accepted() },
  {
    number: 61,
    what: 'shutdown message of invalid UTF-8',
    send: [goodbye([4, 0xff, 0xfe, 0x80, 0x0a])],
    expect: [{ kind: 'close' }],
  },
  {
    number: 61,
    what: 'shutdown message longer than its data',
    send: [goodbye([255, 65, 66])],
    expect: [{ kind: 'close' }],
  },
  {
    number: 61,
    what: 'shutdown message of 4,000 octets',
    send: [goodbye(fill(4000, 128, 27, 65))],
    expect: [{ kind: 'close' }],
  },
];

export const extensionCases: HostileCase[] = [...multiprotocol, ...communities, ...as4, ...unknown, ...other];
