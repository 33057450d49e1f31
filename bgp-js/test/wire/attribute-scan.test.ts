/** The scan of path attributes: every known attribute, valid and malformed, with its handling (RFC 7606). */
import assert from 'node:assert/strict';
import { checkMandatory, scanAttributes } from '../../wire/attribute-scan.ts';
import { AttrsFlag } from '../../wire/attribute-types.ts';
import type { Handling } from '../../wire/index.ts';
import { type AttributeContext, AttributeScan } from '../../wire/scan-result.ts';
import { hex, toHex } from './bytes.ts';

const OUR_ID = 0x0a000001;
const IBGP: AttributeContext = {
  ebgp: false,
  fourOctetAs: true,
  localAs: 64512,
  localId: OUR_ID,
  clusterId: 0x0a0000aa,
};
const EBGP: AttributeContext = { ...IBGP, ebgp: true };
/** An eBGP peer that supports only two-octet AS numbers. */
const OLD: AttributeContext = { ...EBGP, fourOctetAs: false };

function scan(attributes: string, context: AttributeContext = EBGP): AttributeScan {
  const bytes = hex(attributes);
  const result = new AttributeScan();
  scanAttributes({ bytes, start: 0, end: bytes.length, context }, result);
  return result;
}

/** An attribute in the short form: flags and type, then the value. */
function attribute(head: string, value: string): string {
  return `${head} ${Buffer.from([hex(value).length]).toString('hex')} ${value}`;
}

type Numbers = Partial<
  Pick<AttributeScan, 'origin' | 'asPathLength' | 'firstAs' | 'nextHop' | 'med' | 'localPref'>
> &
  Partial<Pick<AttributeScan, 'originatorId' | 'clusterListLength' | 'flags'>>;

const VALID: [string, AttributeContext, string, Numbers][] = [
  ['ORIGIN IGP', EBGP, '40 01 01 00', { origin: 0 }],
  ['ORIGIN EGP', EBGP, '40 01 01 01', { origin: 1 }],
  ['ORIGIN incomplete', EBGP, '40 01 01 02', { origin: 2 }],
  ['ORIGIN with the extended length and a short value', EBGP, '50 01 0001 02', { origin: 2 }],
  ['AS_PATH empty', IBGP, '40 02 00', { asPathLength: 0, firstAs: 0 }],
  ['AS_PATH of a sequence', EBGP, '40 02 0a 02 02 0000fde9 0000fdea', { asPathLength: 2, firstAs: 65001 }],
  [
    'AS_PATH that begins with a set',
    EBGP,
    '40 02 0a 01 02 0000fde9 0000fdea',
    { asPathLength: 1, firstAs: 0 },
  ],
  [
    'AS_PATH of a sequence and a set, which counts as one',
    EBGP,
    '40 02 10 02 01 0000fde9 01 02 0000fdea 0000fdeb',
    { asPathLength: 2, firstAs: 65001 },
  ],
  [
    'AS_PATH of a confederation on iBGP, which does not count',
    IBGP,
    '40 02 06 03 01 0000fde9',
    { asPathLength: 0, flags: AttrsFlag.confederation },
  ],
  ['AS_PATH with our own AS: a loop', EBGP, '40 02 06 02 01 0000fc00', { flags: AttrsFlag.asLoop }],
  ['AS_PATH of two octets', OLD, '40 02 06 02 02 fde9 fdea', { asPathLength: 2, firstAs: 65001 }],
  ['NEXT_HOP', EBGP, '40 03 04 0a000002', { nextHop: 0x0a000002, flags: AttrsFlag.ipv4NextHop }],
  ['NEXT_HOP 223.255.255.255', EBGP, '40 03 04 dfffffff', { nextHop: 0xdfffffff }],
  ['MULTI_EXIT_DISC', EBGP, '80 04 04 ffffffff', { med: 0xffffffff, flags: AttrsFlag.hasMed }],
  ['LOCAL_PREF on iBGP', IBGP, '40 05 04 000000c8', { localPref: 200, flags: AttrsFlag.hasLocalPref }],
  ['ATOMIC_AGGREGATE', EBGP, '40 06 00', {}],
  ['AGGREGATOR', EBGP, 'c0 07 08 0000fde9 0a000002', {}],
  ['AGGREGATOR with Partial', EBGP, 'e0 07 08 0000fde9 0a000002', {}],
  ['AGGREGATOR of two octets', OLD, 'c0 07 06 fde9 0a000002', {}],
  ['COMMUNITIES', EBGP, 'c0 08 08 fde90001 fde90002', { flags: 0 }],
  ['COMMUNITIES NO_EXPORT', EBGP, 'c0 08 04 ffffff01', { flags: AttrsFlag.noExport }],
  ['COMMUNITIES NO_ADVERTISE', EBGP, 'c0 08 04 ffffff02', { flags: AttrsFlag.noAdvertise }],
  ['COMMUNITIES NO_EXPORT_SUBCONFED', EBGP, 'c0 08 04 ffffff03', { flags: AttrsFlag.noExport }],
  [
    'COMMUNITIES GRACEFUL_SHUTDOWN',
    IBGP,
    'c0 08 04 ffff0000',
    { flags: AttrsFlag.gracefulShutdown, localPref: 100 },
  ],
  ['COMMUNITIES GRACEFUL_SHUTDOWN from eBGP (RFC 8326)', EBGP, 'c0 08 04 ffff0000', { localPref: 0 }],
  [
    'GRACEFUL_SHUTDOWN not obeyed',
    { ...EBGP, obeyGracefulShutdown: false },
    'c0 08 04 ffff0000',
    { localPref: 100 },
  ],
  ['COMMUNITIES BLACKHOLE (RFC 7999)', EBGP, 'c0 08 04 ffff029a', { flags: AttrsFlag.blackhole }],
  ['COMMUNITIES LLGR_STALE (RFC 9494)', EBGP, 'c0 08 04 ffff0006', { flags: AttrsFlag.llgrStale }],
  ['COMMUNITIES NO_LLGR', EBGP, 'c0 08 04 ffff0007', { flags: AttrsFlag.noLlgr }],
  [
    'several well-known COMMUNITIES',
    IBGP,
    'c0 08 0c ffffff01 ffffff02 00000007',
    { flags: AttrsFlag.noExport | AttrsFlag.noAdvertise },
  ],
  [
    'ORIGINATOR_ID on iBGP',
    IBGP,
    '80 09 04 0a000009',
    { originatorId: 0x0a000009, flags: AttrsFlag.originatorId },
  ],
  [
    'ORIGINATOR_ID that is ours',
    IBGP,
    '80 09 04 0a000001',
    { flags: AttrsFlag.originatorId | AttrsFlag.reflectionLoop },
  ],
  ['CLUSTER_LIST on iBGP', IBGP, '80 0a 08 0a0000bb 0a0000cc', { clusterListLength: 2, flags: 0 }],
  ['CLUSTER_LIST with our cluster', IBGP, '80 0a 08 0a0000bb 0a0000aa', { flags: AttrsFlag.reflectionLoop }],
  ['MP_REACH_NLRI', EBGP, '80 0e 0a 0001 80 04 0a000002 00 20', {}],
  ['MP_UNREACH_NLRI, the End-of-RIB of another family', EBGP, '80 0f 03 0002 01', {}],
  ['EXTENDED COMMUNITIES', EBGP, 'c0 10 08 0002fde900000001', {}],
  ['AS4_PATH from a two-octet peer', OLD, 'c0 11 06 02 01 0001fde9', {}],
  ['AS4_AGGREGATOR from a two-octet peer', OLD, 'c0 12 08 0001fde9 0a000002', {}],
  ['LARGE_COMMUNITY', EBGP, 'c0 20 0c 0000fde9 00000001 00000002', {}],
  ['IPV6 EXTENDED COMMUNITIES', EBGP, attribute('c0 19', '0002 20010db8000000000000000000000001 0064'), {}],
  ['AIGP on iBGP', IBGP, '80 1a 0b 01 000b 0000000000000064', {}],
  ['AIGP with a second TLV', IBGP, '80 1a 0f 01 000b 0000000000000064 02 0004 ff', {}],
  ['AIGP from eBGP, malformed and ignored', EBGP, '80 1a 01 01', {}],
  ['ONLY_TO_CUSTOMER', EBGP, 'c0 23 04 0000fde9', { flags: AttrsFlag.onlyToCustomer }],
  ['PREFIX_SID with an index', EBGP, 'c0 28 0a 01 0007 00 0000 00000064', {}],
  ['PREFIX_SID with a block', EBGP, 'c0 28 0b 03 0008 0000 003e80 001f40', {}],
  ['PREFIX_SID with a TLV of another type', EBGP, 'c0 28 04 05 0001 00', {}],
  ['unknown and optional, transitive', EBGP, 'c0 63 02 abcd', {}],
  ['unknown and optional, transitive, of length 0', EBGP, 'c0 63 00', {}],
  ['unknown and optional, not transitive', EBGP, '80 63 02 abcd', {}],
  ['the attribute set of RFC 6368 (128), corrupt but not implemented', EBGP, 'c0 80 01 ff', {}],
  ['tunnel encapsulation (23), corrupt but not implemented', EBGP, 'c0 17 03 ffffff', {}],
];

describe('valid attributes', () => {
  for (const [title, context, wire, expected] of VALID) {
    it(`${title}`, () => {
      const result = scan(wire, context);
      assert.equal(result.error, null);
      for (const [field, value] of Object.entries(expected)) {
        assert.equal(result[field as keyof Numbers], value, field);
      }
    });
  }

  it('default to a LOCAL_PREF of 100 and a MED of 0', () => {
    const { localPref, med, flags } = scan('40 01 01 00');
    assert.deepEqual([localPref, med, flags], [100, 0, 0]);
  });

  it('may have an extended length for values of more than 255 octets', () => {
    assert.equal(scan(`d0 08 0fa0 ${'fde90001'.repeat(1000)}`).error, null);
    const path = `02 ff ${'0000fde9'.repeat(255)}`;
    assert.equal(scan(`50 02 0bfa ${path.repeat(3)}`).asPathLength, 765);
  });

  it('leave nothing behind in the scan for the next one', () => {
    const result = new AttributeScan();
    const dirty = hex(`40 01 01 05 80 04 04 00000001 c0 08 04 ffffff01 80 0a 04 0a0000aa 80 0f 01 00`);
    scanAttributes({ bytes: dirty, start: 0, end: dirty.length, context: IBGP }, result);
    assert.notEqual(result.error, null);
    scanAttributes({ bytes: new Uint8Array(0), start: 0, end: 0, context: IBGP }, result);
    assert.deepEqual(result, new AttributeScan());
  });
});

const TAW: Handling = 'treat-as-withdraw';
const DISC: Handling = 'discard';
const RST: Handling = 'reset';

/** The error, the session, the attributes, the handling, the subcode of UPDATE Message Error. */
const MALFORMED: [string, AttributeContext, string, Handling, number][] = [
  // RFC 7606 §4: the framing of the attributes.
  ['one octet left', EBGP, '40 01 01 00 40', TAW, 1],
  ['two octets left', EBGP, '40 01 01 00 40 02', TAW, 1],
  ['three octets left of an extended one', EBGP, '40 01 01 00 50 02 00', TAW, 1],
  ['a length that runs past the attributes', EBGP, '40 01 01 00 40 02 07 02 01 0000fde9', TAW, 1],
  ['an extended length that runs past the attributes', EBGP, '50 02 ffff 02 01', TAW, 1],
  // §3 c: flags. Every wrong combination for each kind of attribute.
  ['ORIGIN flagged optional', EBGP, 'c0 01 01 00', TAW, 4],
  ['ORIGIN flagged non-transitive', EBGP, '00 01 01 00', TAW, 4],
  ['ORIGIN flagged partial', EBGP, '60 01 01 00', TAW, 4],
  ['AS_PATH flagged optional', EBGP, 'c0 02 00', TAW, 4],
  ['NEXT_HOP flagged optional', EBGP, '80 03 04 0a000002', TAW, 4],
  ['MED flagged transitive', EBGP, 'c0 04 04 00000001', TAW, 4],
  ['MED flagged well-known', EBGP, '40 04 04 00000001', TAW, 4],
  ['LOCAL_PREF flagged optional', IBGP, 'c0 05 04 00000001', TAW, 4],
  ['COMMUNITIES flagged non-transitive', EBGP, '80 08 04 fde90001', TAW, 4],
  ['ORIGINATOR_ID flagged transitive', IBGP, 'c0 09 04 0a000009', TAW, 4],
  ['LARGE_COMMUNITY flagged well-known', EBGP, '40 20 0c 0000fde9 00000001 00000002', TAW, 4],
  // §7, attribute by attribute.
  ['ORIGIN of length 0', EBGP, '40 01 00', TAW, 5],
  ['ORIGIN of length 2', EBGP, '40 01 02 0000', TAW, 5],
  ['ORIGIN of value 3', EBGP, '40 01 01 03', TAW, 6],
  ['ORIGIN of value 255', EBGP, '40 01 01 ff', TAW, 6],
  ['AS_PATH with segment type 0', EBGP, '40 02 06 00 01 0000fde9', TAW, 11],
  ['AS_PATH with segment type 5', EBGP, '40 02 06 05 01 0000fde9', TAW, 11],
  ['AS_PATH with an empty segment', EBGP, '40 02 02 02 00', TAW, 11],
  ['AS_PATH with a segment that runs past it', EBGP, '40 02 06 02 02 0000fde9', TAW, 11],
  ['AS_PATH with an octet left', EBGP, '40 02 07 02 01 0000fde9 02', TAW, 11],
  ['AS_PATH of two-octet numbers from a four-octet peer', EBGP, '40 02 04 02 01 fde9', TAW, 11],
  ['AS_PATH of four-octet numbers from a two-octet peer', OLD, '40 02 06 02 01 0000fde9', TAW, 11],
  ['AS_PATH with AS 0 (RFC 7607)', EBGP, '40 02 0a 02 02 0000fde9 00000000', TAW, 11],
  ['AS_PATH with AS 0 in a set', EBGP, '40 02 06 01 01 00000000', TAW, 11],
  ['AS_PATH with AS 0 of two octets', OLD, '40 02 04 02 01 0000', TAW, 11],
  [
    'AS_PATH with AS_CONFED_SEQUENCE from an external peer (RFC 5065 §5)',
    EBGP,
    '40 02 06 03 01 0000fde9',
    TAW,
    11,
  ],
  ['AS_PATH with AS_CONFED_SET from an external peer', EBGP, '40 02 06 04 01 0000fde9', TAW, 11],
  ['NEXT_HOP of length 3', EBGP, '40 03 03 0a0000', TAW, 5],
  ['NEXT_HOP of length 16', EBGP, attribute('40 03', '20010db8000000000000000000000001'), TAW, 5],
  ['NEXT_HOP 0.0.0.0', EBGP, '40 03 04 00000000', TAW, 8],
  ['NEXT_HOP in 127/8', EBGP, '40 03 04 7f000001', TAW, 8],
  ['NEXT_HOP that is multicast', EBGP, '40 03 04 e0000001', TAW, 8],
  ['NEXT_HOP 255.255.255.255', EBGP, '40 03 04 ffffffff', TAW, 8],
  ['MED of length 3', EBGP, '80 04 03 000001', TAW, 5],
  ['MED of length 0', EBGP, '80 04 00', TAW, 5],
  ['LOCAL_PREF from eBGP', EBGP, '40 05 04 000000c8', DISC, 9],
  ['LOCAL_PREF of a wrong length from eBGP', EBGP, '40 05 01 c8', DISC, 9],
  ['LOCAL_PREF of length 3 on iBGP', IBGP, '40 05 03 0000c8', TAW, 5],
  ['ATOMIC_AGGREGATE of length 1', EBGP, '40 06 01 00', DISC, 5],
  ['AGGREGATOR of length 6 from a four-octet peer', EBGP, 'c0 07 06 fde9 0a000002', DISC, 5],
  ['AGGREGATOR of length 8 from a two-octet peer', OLD, 'c0 07 08 0000fde9 0a000002', DISC, 5],
  ['AGGREGATOR with AS 0 (RFC 7607)', EBGP, 'c0 07 08 00000000 0a000002', DISC, 9],
  ['AGGREGATOR with AS 0 of two octets', OLD, 'c0 07 06 0000 0a000002', DISC, 9],
  ['COMMUNITIES of length 0', EBGP, 'c0 08 00', TAW, 5],
  ['COMMUNITIES of length 5', EBGP, 'c0 08 05 fde9000100', TAW, 5],
  ['ORIGINATOR_ID from eBGP', EBGP, '80 09 04 0a000009', DISC, 9],
  ['ORIGINATOR_ID of length 5', IBGP, '80 09 05 0a00000900', TAW, 5],
  ['CLUSTER_LIST from eBGP', EBGP, '80 0a 04 0a0000bb', DISC, 9],
  ['CLUSTER_LIST of length 0', IBGP, '80 0a 00', TAW, 5],
  ['CLUSTER_LIST of length 6', IBGP, '80 0a 06 0a0000bb 0a00', TAW, 5],
  ['MP_REACH_NLRI of 4 octets', EBGP, '80 0e 04 0001 01 00', RST, 1],
  ['MP_REACH_NLRI whose next hop runs past it', EBGP, '80 0e 08 0001 01 04 0a000002', RST, 1],
  ['MP_REACH_NLRI twice', EBGP, '80 0e 05 0002 01 00 00 80 0e 05 0002 01 00 00', RST, 1],
  ['MP_UNREACH_NLRI of 2 octets', EBGP, '80 0f 02 0001', RST, 9],
  ['MP_UNREACH_NLRI twice', EBGP, '80 0f 03 0002 01 80 0f 03 0002 01', RST, 1],
  ['EXTENDED COMMUNITIES of length 0', EBGP, 'c0 10 00', TAW, 5],
  ['EXTENDED COMMUNITIES of length 7', EBGP, 'c0 10 07 0002fde9000000', TAW, 5],
  ['AS4_PATH from a four-octet peer', EBGP, 'c0 11 06 02 01 0000fde9', DISC, 9],
  ['AS4_AGGREGATOR from a four-octet peer', EBGP, 'c0 12 08 0000fde9 0a000002', DISC, 9],
  ['AS4_PATH empty', OLD, 'c0 11 00', DISC, 9],
  ['AS4_PATH with a segment that runs past it', OLD, 'c0 11 06 02 02 0001fde9', DISC, 9],
  ['AS4_PATH with an empty segment', OLD, 'c0 11 02 02 00', DISC, 9],
  ['AS4_PATH with segment type 9', OLD, 'c0 11 06 09 01 0001fde9', DISC, 9],
  ['AS4_PATH with AS 0', OLD, 'c0 11 06 02 01 00000000', DISC, 9],
  ['AS4_PATH with an octet left', OLD, 'c0 11 07 02 01 0001fde9 02', DISC, 9],
  ['AS4_AGGREGATOR of length 6', OLD, 'c0 12 06 fde9 0a000002', DISC, 9],
  ['AS4_AGGREGATOR with AS 0', OLD, 'c0 12 08 00000000 0a000002', DISC, 9],
  ['LARGE_COMMUNITY of length 0', EBGP, 'c0 20 00', TAW, 5],
  ['LARGE_COMMUNITY of length 11', EBGP, 'c0 20 0b 0000fde9 00000001 000000', TAW, 5],
  ['IPV6 EXTENDED COMMUNITIES of length 0', EBGP, 'c0 19 00', TAW, 5],
  ['IPV6 EXTENDED COMMUNITIES of length 8', EBGP, 'c0 19 08 0002fde900000001', TAW, 5],
  ['AIGP empty', IBGP, '80 1a 00', DISC, 9],
  ['AIGP with a truncated TLV', IBGP, '80 1a 0a 01 000b 00000000000000', DISC, 9],
  ['AIGP with a TLV of length 2', IBGP, '80 1a 03 02 0002', DISC, 9],
  ['AIGP whose metric has 4 octets', IBGP, '80 1a 07 01 0007 00000064', DISC, 9],
  ['AIGP with two octets left', IBGP, '80 1a 0d 01 000b 0000000000000064 0100', DISC, 9],
  ['AIGP flagged transitive', IBGP, 'c0 1a 0b 01 000b 0000000000000064', DISC, 4],
  ['ONLY_TO_CUSTOMER of length 0', EBGP, 'c0 23 00', TAW, 5],
  ['ONLY_TO_CUSTOMER of length 8', IBGP, 'c0 23 08 0000fde9 0000fde9', TAW, 5],
  ['ONLY_TO_CUSTOMER flagged non-transitive', EBGP, '80 23 04 0000fde9', TAW, 4],
  ['PREFIX_SID empty', EBGP, 'c0 28 00', DISC, 9],
  ['PREFIX_SID with a truncated TLV', EBGP, 'c0 28 05 01 0007 0000', DISC, 9],
  ['PREFIX_SID with an index of 6 octets', EBGP, 'c0 28 09 01 0006 000000000064', DISC, 9],
  ['PREFIX_SID with a block of 2 octets', EBGP, 'c0 28 05 03 0002 0000', DISC, 9],
  ['PREFIX_SID with an octet left', EBGP, 'c0 28 0b 01 0007 00 0000 00000064 01', DISC, 9],
  ['PREFIX_SID flagged non-transitive', EBGP, '80 28 0a 01 0007 00 0000 00000064', DISC, 4],
  ['an unknown well-known attribute', EBGP, '40 63 01 00', RST, 2],
  ['an attribute of type 0 and no flags', EBGP, '00 00 00', RST, 2],
];

describe('malformed attributes', () => {
  for (const [title, context, wire, handling, subcode] of MALFORMED) {
    it(`${title}: ${handling}, 3/${subcode}`, () => {
      const { error } = scan(wire, context);
      assert.deepEqual([error?.handling, error?.code, error?.subcode], [handling, 3, subcode]);
      assert.match(error?.text ?? '', /\w/, 'it says what is wrong in words');
    });
  }

  it('have their octets in the data of the NOTIFICATION', () => {
    assert.equal(toHex(scan('40 01 01 00 80 04 03 000001').error?.data ?? new Uint8Array(0)), '800403000001');
  });

  it('are handled by the strongest error of all, whatever their order', () => {
    const discard = '40 06 01 00';
    const withdraw = '40 01 01 05';
    const reset = '80 0f 01 00';
    assert.equal(scan(`${discard} ${withdraw}`).error?.handling, TAW);
    assert.equal(scan(`${withdraw} ${discard}`).error?.handling, TAW);
    for (const order of [
      [reset, withdraw, discard],
      [discard, withdraw, reset],
      [withdraw, reset, discard],
    ]) {
      assert.equal(scan(order.join(' ')).error?.handling, RST);
    }
  });

  it('report the first of equally strong errors', () => {
    assert.equal(scan('40 01 01 05 40 03 04 00000000').error?.subcode, 6);
  });

  it('count once when repeated: the first one, of unknown types too', () => {
    const result = scan('80 04 04 00000001 80 04 04 00000002 c0 63 01 aa c0 63 01 bb');
    assert.deepEqual([result.error, result.med, result.rewrite], [null, 1, true]);
    assert.equal(scan('40 01 01 00 40 01 01 09').error, null, 'defects of the second do not matter');
    assert.equal(scan(`${'c0 20 0c 0000fde9 00000001 00000002'.repeat(2)}`).rewrite, true);
  });
});

describe('mandatory attributes (RFC 7606 §3 d)', () => {
  const ALL: Record<string, string> = {
    ORIGIN: '40 01 01 00',
    AS_PATH: '40 02 06 02 01 0000fde9',
    NEXT_HOP: '40 03 04 0a000002',
  };
  const without = (name: string) =>
    Object.entries(ALL)
      .filter(([key]) => key !== name)
      .map(([, wire]) => wire)
      .join(' ');

  for (const [i, name] of Object.keys(ALL).entries()) {
    it(`treat the routes as withdrawn when ${name} is missing`, () => {
      const result = scan(without(name));
      checkMandatory(result, true);
      assert.deepEqual([result.error?.handling, result.error?.subcode], [TAW, 3]);
      assert.deepEqual([...(result.error?.data ?? [])], [i + 1]);
    });
  }

  it('may be in any order', () => {
    const result = scan(Object.values(ALL).reverse().join(' '));
    checkMandatory(result, true);
    assert.equal(result.error, null);
  });

  it('do not include NEXT_HOP for the routes of MP_REACH_NLRI', () => {
    const result = scan(without('NEXT_HOP'));
    checkMandatory(result, false);
    assert.equal(result.error, null);
  });

  it('are not confused with types 32 higher', () => {
    const result = scan('c0 20 0c 0000fde9 00000001 00000002 c0 21 00 c0 22 00 c0 24 00');
    checkMandatory(result, true);
    assert.equal(result.error?.subcode, 3);
  });
});
