/** What two OPENs agree on, which OPENs are refused, and which of two connections stays. */
import assert from 'node:assert/strict';
import { buildOpen, keepOutgoing, negotiate, type SessionOffer } from '../../session/negotiate.ts';
import { AS_TRANS, decodeMessage, IPV4_UNICAST, isError, type OpenMessage } from '../../wire/index.ts';
import { hex, toHex } from '../wire/bytes.ts';

const OUR_ID = 0x0a000001;
const PEER_ID = 0x0a000002;
const IBGP: SessionOffer = {
  localAs: 64512,
  localId: OUR_ID,
  peerAs: 64512,
  holdTime: 90,
  families: [IPV4_UNICAST],
};
const EBGP: SessionOffer = { ...IBGP, peerAs: 65001 };
/** A peer whose AS number needs four octets. */
const WIDE: SessionOffer = { ...IBGP, peerAs: 4200000000 };

const cap = (code: number, value: string) => ({ code, value: hex(value) });
const MP_IPV4 = cap(1, '0001 00 01');
const MP_IPV6 = cap(1, '0002 00 01');
const AS4_EBGP = cap(65, '0000fde9');

function open(fields: Partial<OpenMessage> = {}): OpenMessage {
  const capabilities = [MP_IPV4, cap(2, ''), AS4_EBGP];
  return { version: 4, as: 65001, holdTime: 180, identifier: PEER_ID, capabilities, ...fields };
}

describe('an OPEN that is refused', () => {
  const CASES: [string, OpenMessage, SessionOffer, number, string][] = [
    ['version 3', open({ version: 3 }), EBGP, 1, '0004'],
    ['version 5', open({ version: 5 }), EBGP, 1, '0004'],
    ['the wrong AS', open({ as: 65002, capabilities: [MP_IPV4] }), EBGP, 2, ''],
    ['the wrong AS in the capability only', open({ capabilities: [cap(65, '0000fdea')] }), EBGP, 2, ''],
    ['AS 0', open({ as: 0, capabilities: [] }), EBGP, 2, ''],
    ['AS 0 where AS 0 was configured', open({ as: 0, capabilities: [] }), { ...EBGP, peerAs: 0 }, 2, ''],
    ['AS 0 in the capability', open({ capabilities: [cap(65, '00000000')] }), EBGP, 2, ''],
    ['AS 0 in the field beside a good capability (RFC 7607)', open({ as: 0 }), EBGP, 2, ''],
    ['AS_TRANS without the capability', open({ as: AS_TRANS, capabilities: [] }), WIDE, 2, ''],
    ['identifier 0', open({ identifier: 0 }), EBGP, 3, ''],
    ['our identifier on iBGP', open({ as: 64512, identifier: OUR_ID, capabilities: [] }), IBGP, 3, ''],
    ['hold time 1', open({ holdTime: 1 }), EBGP, 6, ''],
    ['hold time 2', open({ holdTime: 2 }), EBGP, 6, ''],
    ['no family of ours', open({ capabilities: [MP_IPV6, AS4_EBGP] }), EBGP, 7, '010400010001'],
    ['a four-octet AS of 3 octets', open({ capabilities: [cap(65, '00fde9')] }), EBGP, 0, ''],
  ];
  for (const [title, message, offer, subcode, data] of CASES) {
    it(`${title}: 2/${subcode}`, () => {
      const result = negotiate(message, offer);
      assert.ok(isError(result));
      assert.deepEqual(
        [result.code, result.subcode, toHex(result.data), result.handling],
        [2, subcode, data, 'reset'],
      );
    });
  }
});

describe('an OPEN that is accepted', () => {
  const terms = (message: OpenMessage, offer: SessionOffer) => {
    const result = negotiate(message, offer);
    assert.ok(!isError(result), isError(result) ? result.text : '');
    return result;
  };

  it('our identifier on eBGP (RFC 6286: unique only within an AS)', () => {
    assert.equal(terms(open({ identifier: OUR_ID }), EBGP).peerId, OUR_ID);
  });

  it('a four-octet AS, with AS_TRANS in the field', () => {
    const result = terms(open({ as: AS_TRANS, capabilities: [cap(65, 'fa56ea00')] }), WIDE);
    assert.deepEqual([result.peerAs, result.fourOctetAs], [4200000000, true]);
  });

  it('a peer of two octets, without any capability: IPv4 unicast and no route refresh', () => {
    const result = terms(open({ capabilities: [] }), EBGP);
    assert.deepEqual(
      [result.fourOctetAs, result.routeRefresh, result.families],
      [false, false, [IPV4_UNICAST]],
    );
  });

  it('one more family than ours, and unknown capabilities', () => {
    const capabilities = [MP_IPV6, MP_IPV4, AS4_EBGP, cap(64, '00'), cap(250, 'abcd')];
    assert.deepEqual(terms(open({ capabilities }), EBGP).families, [IPV4_UNICAST]);
  });

  const HOLD: [number, number, number][] = [
    [180, 90, 90],
    [30, 90, 30],
    [3, 90, 3],
    [90, 3, 3],
    [0, 90, 0],
    [90, 0, 0],
    [0, 0, 0],
    [65535, 65535, 65535],
  ];
  for (const [theirs, ours, agreed] of HOLD) {
    it(`hold times of ${theirs} s and ${ours} s give ${agreed} s`, () => {
      assert.equal(terms(open({ holdTime: theirs }), { ...EBGP, holdTime: ours }).holdTime, agreed);
    });
  }
});

describe('our OPEN', () => {
  it('octet by octet', () => {
    const expected = `${'ff'.repeat(16)} 002f 01 04 fc00 005a 0a000001
      12 02 10 01 04 0001 00 01 02 00 41 04 0000fc00 46 00`;
    assert.equal(toHex(buildOpen(EBGP)), toHex(hex(expected)));
  });

  it('has AS_TRANS in the field when our AS needs four octets', () => {
    const message = decodeMessage(buildOpen({ ...EBGP, localAs: 4200000000 }));
    assert.ok(!isError(message) && message.type === 'open');
    assert.equal(message.open.as, AS_TRANS);
    assert.equal(
      toHex(message.open.capabilities.find(({ code }) => code === 65)?.value ?? hex('')),
      'fa56ea00',
    );
  });

  it('is accepted by whoever is configured to be its peer', () => {
    for (const localAs of [1, 64512, 65535, 65536, 4294967294]) {
      const message = decodeMessage(buildOpen({ ...EBGP, localAs }));
      assert.ok(!isError(message) && message.type === 'open');
      const result = negotiate(message.open, { ...EBGP, localId: PEER_ID, peerAs: localAs });
      assert.ok(!isError(result) && result.peerAs === localAs);
    }
  });
});

describe('which of two connections stays (RFC 4271 §6.8, RFC 6286 §2.3)', () => {
  /** Our identifier and AS, the peer's, and whether the connection that we began stays. */
  const CASES: [string, [number, number], [number, number], boolean][] = [
    ['the higher identifier is ours', [2, 64512], [1, 64512], true],
    ["the higher identifier is the peer's", [1, 64512], [2, 64512], false],
    ['identifiers are unsigned', [0xc0000001, 64512], [0x0a000001, 64512], true],
    ['AS numbers do not matter while identifiers differ', [2, 1], [1, 65001], true],
    ['equal identifiers, our AS is higher', [1, 65001], [1, 64512], true],
    ["equal identifiers, the peer's AS is higher", [1, 64512], [1, 4200000000], false],
  ];
  for (const [title, [localId, localAs], [peerId, peerAs], stays] of CASES) {
    it(title, () => {
      assert.equal(keepOutgoing(localId, peerId, localAs, peerAs), stays);
      assert.equal(keepOutgoing(peerId, localId, peerAs, localAs), !stays, 'the peer keeps the same one');
    });
  }
});
