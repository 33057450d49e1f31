/** All message types against vectors written by hand from the RFCs' layouts, one field per line. */
import assert from 'node:assert/strict';
import { AS_TRANS, decodeMessage, encodeMessage, isError, type Message } from '../../wire/index.ts';
import { hex, MARKER, toHex } from './bytes.ts';

interface Vector {
  title: string;
  wire: string;
  message: Message;
}

const cap = (code: number, value: string) => ({ code, value: hex(value) });

const VECTORS: Vector[] = [
  {
    title: 'KEEPALIVE (RFC 4271 §4.4): a header alone',
    wire: `${MARKER} 0013 04`,
    message: { type: 'keepalive' },
  },
  {
    title: 'OPEN without optional parameters (RFC 4271 §4.2)',
    wire: `${MARKER} 001d 01
      04                      # version 4
      fde9                    # AS 65001
      005a                    # hold time 90 s
      0a0000fe                # identifier 10.0.0.254
      00                      # no optional parameters`,
    message: {
      type: 'open',
      open: { version: 4, as: 65001, holdTime: 90, identifier: 0x0a0000fe, capabilities: [] },
    },
  },
  {
    title: 'OPEN with capabilities in one optional parameter (RFC 5492 §4)',
    wire: `${MARKER} 002d 01
      04 5ba0 00b4 0a000001   # version 4, AS 23456 (AS_TRANS), hold time 180 s, 10.0.0.1
      10                      # 16 octets of optional parameters
      02 0e                   # capabilities, 14 octets
      01 04 0001 00 01        # multiprotocol: IPv4 unicast
      02 00                   # route refresh
      41 04 fffffffe          # four-octet AS 4294967294`,
    message: {
      type: 'open',
      open: {
        version: 4,
        as: AS_TRANS,
        holdTime: 180,
        identifier: 0x0a000001,
        capabilities: [cap(1, '0001 0001'), cap(2, ''), cap(65, 'fffffffe')],
      },
    },
  },
  {
    title: 'UPDATE that withdraws 10.244.2.0/26 and announces 10.244.1.0/24 and 0.0.0.0/0',
    wire: `${MARKER} 0035 02
      0005                    # 5 octets of withdrawn routes
      1a 0af40200             # 10.244.2.0/26
      0014                    # 20 octets of attributes
      40 01 01 00             # ORIGIN IGP
      40 02 06 02 01 0000fde9 # AS_PATH: a sequence of one, 65001
      40 03 04 0a000002       # NEXT_HOP 10.0.0.2
      18 0af401               # 10.244.1.0/24
      00                      # the default route`,
    message: {
      type: 'update',
      withdrawn: hex('1a 0af40200'),
      attributes: hex('400101 00 400206 0201 0000fde9 400304 0a000002'),
      nlri: hex('18 0af401 00'),
    },
  },
  {
    title: 'UPDATE with nothing in it: the End-of-RIB marker of IPv4 unicast (RFC 4724 §2)',
    wire: `${MARKER} 0017 02 0000 0000`,
    message: { type: 'update', withdrawn: hex(''), attributes: hex(''), nlri: hex('') },
  },
  {
    title: 'NOTIFICATION without data (RFC 4271 §4.5): hold timer expired',
    wire: `${MARKER} 0015 03 04 00`,
    message: { type: 'notification', notification: { code: 4, subcode: 0, data: hex('') } },
  },
  {
    title: 'NOTIFICATION with a shutdown message (RFC 9003 §2)',
    wire: `${MARKER} 0019 03
      06 02                   # Cease, Administrative Shutdown
      03 627965               # 3 octets: "bye"`,
    message: { type: 'notification', notification: { code: 6, subcode: 2, data: hex('03 627965') } },
  },
  {
    title: 'ROUTE-REFRESH for IPv4 unicast (RFC 2918 §3)',
    wire: `${MARKER} 0017 05 0001 00 01`,
    message: { type: 'route-refresh', refresh: { afi: 1, subtype: 0, safi: 1 } },
  },
  {
    title: 'ROUTE-REFRESH: begin of refresh for IPv6 unicast (RFC 7313 §3.2)',
    wire: `${MARKER} 0017 05 0002 01 01`,
    message: { type: 'route-refresh', refresh: { afi: 2, subtype: 1, safi: 1 } },
  },
];

/** The octets of a vector, without the comments after #. */
function wireOf(vector: Vector): Uint8Array {
  const lines = vector.wire.split('\n').map((line) => line.split('#')[0]);
  return hex(lines.join(' '));
}

describe('messages', () => {
  for (const vector of VECTORS) {
    const wire = wireOf(vector);
    it(`decodes ${vector.title}`, () => {
      assert.deepEqual(decodeMessage(wire), vector.message);
    });
    it(`encodes ${vector.title}`, () => {
      assert.equal(toHex(encodeMessage(vector.message)), toHex(wire));
    });
    it(`gives an error, and no exception, for every shorter part of ${vector.title}`, () => {
      for (let length = 0; length < wire.length; length++) {
        const result = decodeMessage(wire.subarray(0, length));
        assert.ok(isError(result), `${length} of ${wire.length} octets are not the message`);
        assert.deepEqual([result.code, result.subcode], [1, 2]);
      }
    });
  }

  it('encodes an OPEN whose capabilities need more than 255 octets in the extended form (RFC 9072)', () => {
    const long = { code: 75, value: new Uint8Array(255).fill(0x61) };
    const open = { version: 4, as: 65001, holdTime: 90, identifier: 1, capabilities: [long] };
    const wire = encodeMessage({ type: 'open', open });
    const head = `${MARKER} 0124 01 04 fde9 005a 00000001 ff ff 0104 02 0101 4b ff`;
    assert.equal(toHex(wire.subarray(0, 37)), toHex(hex(head)));
    assert.equal(wire.length, 0x124);
    assert.deepEqual(decodeMessage(wire), { type: 'open', open });
  });

  it('encodes the longest OPEN of the short form and the shortest of the extended one', () => {
    for (const [size, form] of [
      [250, 'short'],
      [251, 'extended'],
    ] as const) {
      const capabilities = [{ code: 75, value: new Uint8Array(size) }];
      const open = { version: 4, as: 1, holdTime: 0, identifier: 1, capabilities };
      const wire = encodeMessage({ type: 'open', open });
      assert.equal(wire[28] === 255 ? 'extended' : 'short', form, `a capability of ${size} octets`);
      assert.deepEqual(decodeMessage(wire), { type: 'open', open });
    }
  });

  it('refuses to encode an UPDATE of more than 4,096 octets', () => {
    const fields = { type: 'update', withdrawn: hex(''), attributes: hex('') } as const;
    assert.equal(encodeMessage({ ...fields, nlri: new Uint8Array(4096 - 23) }).length, 4096);
    assert.throws(() => encodeMessage({ ...fields, nlri: new Uint8Array(4096 - 22) }), RangeError);
  });

  it('cuts the data of a NOTIFICATION to what fits', () => {
    const notification = { code: 1, subcode: 2, data: new Uint8Array(5000).fill(7) };
    assert.equal(encodeMessage({ type: 'notification', notification }).length, 4096);
  });

  it('returns a copy of KEEPALIVE, which the caller may change', () => {
    encodeMessage({ type: 'keepalive' }).fill(0);
    assert.equal(toHex(encodeMessage({ type: 'keepalive' })), `${MARKER}001304`);
  });
});
