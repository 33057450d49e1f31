/** Names of NOTIFICATION codes (IANA, BGP Error Codes and subcodes) and the shutdown message of RFC 9003. */
import assert from 'node:assert/strict';
import {
  describeNotification,
  notificationName,
  shutdownData,
  shutdownMessage,
} from '../../wire/notification.ts';

/** The IANA registry, copied independently of the code: code, subcode, title. */
const REGISTRY: [number, number, string][] = [
  [1, 0, 'Message Header Error'],
  [1, 1, 'Message Header Error: Connection Not Synchronized'],
  [1, 2, 'Message Header Error: Bad Message Length'],
  [1, 3, 'Message Header Error: Bad Message Type'],
  [2, 0, 'OPEN Message Error'],
  [2, 1, 'OPEN Message Error: Unsupported Version Number'],
  [2, 2, 'OPEN Message Error: Bad Peer AS'],
  [2, 3, 'OPEN Message Error: Bad BGP Identifier'],
  [2, 4, 'OPEN Message Error: Unsupported Optional Parameter'],
  [2, 5, 'OPEN Message Error: Authentication Failure (deprecated)'],
  [2, 6, 'OPEN Message Error: Unacceptable Hold Time'],
  [2, 7, 'OPEN Message Error: Unsupported Capability'],
  [2, 11, 'OPEN Message Error: Role Mismatch'],
  [3, 0, 'UPDATE Message Error'],
  [3, 1, 'UPDATE Message Error: Malformed Attribute List'],
  [3, 2, 'UPDATE Message Error: Unrecognized Well-known Attribute'],
  [3, 3, 'UPDATE Message Error: Missing Well-known Attribute'],
  [3, 4, 'UPDATE Message Error: Attribute Flags Error'],
  [3, 5, 'UPDATE Message Error: Attribute Length Error'],
  [3, 6, 'UPDATE Message Error: Invalid ORIGIN Attribute'],
  [3, 7, 'UPDATE Message Error: AS Routing Loop (deprecated)'],
  [3, 8, 'UPDATE Message Error: Invalid NEXT_HOP Attribute'],
  [3, 9, 'UPDATE Message Error: Optional Attribute Error'],
  [3, 10, 'UPDATE Message Error: Invalid Network Field'],
  [3, 11, 'UPDATE Message Error: Malformed AS_PATH'],
  [4, 0, 'Hold Timer Expired'],
  [5, 0, 'Finite State Machine Error'],
  [5, 1, 'Finite State Machine Error: Unexpected Message in OpenSent'],
  [5, 2, 'Finite State Machine Error: Unexpected Message in OpenConfirm'],
  [5, 3, 'Finite State Machine Error: Unexpected Message in Established'],
  [6, 0, 'Cease'],
  [6, 1, 'Cease: Maximum Number of Prefixes Reached'],
  [6, 2, 'Cease: Administrative Shutdown'],
  [6, 3, 'Cease: Peer De-configured'],
  [6, 4, 'Cease: Administrative Reset'],
  [6, 5, 'Cease: Connection Rejected'],
  [6, 6, 'Cease: Other Configuration Change'],
  [6, 7, 'Cease: Connection Collision Resolution'],
  [6, 8, 'Cease: Out of Resources'],
  [6, 9, 'Cease: Hard Reset'],
  [6, 10, 'Cease: BFD Down'],
  [7, 0, 'ROUTE-REFRESH Message Error'],
  [7, 1, 'ROUTE-REFRESH Message Error: Invalid Message Length'],
  [8, 0, 'Send Hold Timer Expired'],
];

describe('titles of NOTIFICATIONs', () => {
  for (const [code, subcode, words] of REGISTRY) {
    it(`${code}/${subcode} is "${words}"`, () => {
      assert.equal(notificationName(code, subcode), `${words} (${code}/${subcode})`);
    });
  }

  it('exist for every pair of octets, unknown ones included', () => {
    const known = new Set(REGISTRY.map(([code, subcode]) => `${code}/${subcode}`));
    for (let code = 0; code < 256; code++) {
      for (let subcode = 0; subcode < 256; subcode++) {
        const name = notificationName(code, subcode);
        assert.ok(name.endsWith(` (${code}/${subcode})`));
        assert.equal(name.includes('unknown'), !known.has(`${code}/${subcode}`), name);
      }
    }
  });
});

describe('the shutdown message (RFC 9003)', () => {
  const cease = (data: Uint8Array, subcode = 2) => ({ code: 6, subcode, data });
  const text = (bytes: number[] | Uint8Array) => shutdownMessage(cease(Uint8Array.from(bytes)));

  it('is decoded to the text that was encoded', () => {
    for (const message of ['bye', 'Wartung bis 14 Uhr: größerer Umbau', '再起動']) {
      assert.equal(text(shutdownData(message)), message);
    }
  });

  it('follows the title, for shutdown and for reset', () => {
    const data = shutdownData('back at noon');
    assert.equal(describeNotification(cease(data)), 'Cease: Administrative Shutdown (6/2): "back at noon"');
    assert.match(describeNotification(cease(data, 4)), /Administrative Reset \(6\/4\): "back at noon"/);
  });

  it('is null for other subcodes', () => {
    assert.equal(shutdownMessage(cease(shutdownData('bye'), 3)), null);
    assert.equal(shutdownMessage({ code: 2, subcode: 2, data: shutdownData('bye') }), null);
  });

  it('is null when the data is empty or its length is 0', () => {
    assert.equal(text([]), null);
    assert.equal(text([0]), null);
    assert.equal(text([0, 0x41]), null);
    assert.equal(shutdownData('').length, 0);
  });

  it('ends at its length or at the end of the data, whichever comes first', () => {
    assert.equal(text([200, 0x68, 0x69]), 'hi');
    assert.equal(text([2, 0x68, 0x69, 0x21]), 'hi');
  });

  it('has replacement characters for invalid UTF-8', () => {
    assert.equal(text([3, 0x61, 0xff, 0x62]), 'a\ufffdb');
  });

  it('cannot forge log lines or move the cursor of a terminal', () => {
    const evil = 'a\nb\r\u001b[2Jc\u0000\u0085\u2028\u202e';
    assert.doesNotMatch(text(shutdownData(evil)) ?? '', /[\p{Cc}\p{Cf}\u2028\u2029]/u);
  });

  it('is cut between characters to 255 octets', () => {
    const data = shutdownData('é'.repeat(200));
    assert.deepEqual([data.length, data[0]], [255, 254]);
    assert.equal(text(data), 'é'.repeat(127));
    assert.equal(shutdownData('x'.repeat(300)).length, 256);
    assert.equal(text(shutdownData('😀'.repeat(64))), '😀'.repeat(63), '63 times 4 octets fit');
  });
});
