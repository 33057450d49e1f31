/** Checks one program with all oracles of the fuzzer. */
import assert from 'node:assert/strict';
import { parseAddress } from 'bgp-js/ip';
import { scanAttributes } from 'bgp-js/wire/attribute-scan.ts';
import { AttrsFlag } from 'bgp-js/wire/attribute-types.ts';
import { decodeAttributes } from 'bgp-js/wire/attributes.ts';
import { MAX_MESSAGE_LENGTH } from 'bgp-js/wire/frame.ts';
import { decodeMessage, encodeMessage, isError, type Message } from 'bgp-js/wire/message.ts';
import { type AttributeContext, AttributeScan } from 'bgp-js/wire/scan-result.ts';
import { Random } from '../simulator/random.ts';
import { LOCAL_AS, type Program } from './program.ts';
import { runProgram } from './run-program.ts';

/** Throws an Error for what does not hold. Returns how the session ended, for statistics. */
export function checkProgram(program: Program, seed: number): string {
  for (const message of [program.open, ...program.messages]) checkDecoder(message, program);
  const whole = runProgram(program, { split: null, poison: 0xff });
  const split = runProgram(program, { split: new Random(seed), poison: 0x00 });
  assert.deepEqual(split, whole, 'a split stream has the result of whole messages');
  assert.deepEqual(whole.fuzzed.complaints, [], 'messages to the fuzzed session are well-formed');
  return whole.fuzzed.notification?.split(' ')[0] ?? whole.fuzzed.state;
}

/** Decoding does not depend on the octets around a message, and encoding the result gives the same message. */
function checkDecoder(bytes: Uint8Array, program: Program): void {
  const results = [0x00, 0xff].map((poison) => {
    const buffer = new Uint8Array(bytes.length + 64).fill(poison);
    buffer.set(bytes, 32);
    return decodeMessage(buffer.subarray(32, 32 + bytes.length), 0xffff);
  });
  assert.deepEqual(results[0], results[1], 'the decoder does not read octets around the message');
  const [message] = results;
  if (isError(message)) return;
  // Of our messages only an UPDATE is ever longer.
  if (bytes.length <= MAX_MESSAGE_LENGTH || message.type === 'update') checkIdentity(message);
  if (message.type === 'update') checkAttributes(message.attributes, program);
}

function checkIdentity(message: Message): void {
  const again = decodeMessage(encodeMessage(message, 0xffff), 0xffff);
  assert.deepEqual(again, message, 'decoded, encoded and decoded again it is the same message');
}

/** The scan that the RIB uses and the decoder that views use must agree on attributes. */
function checkAttributes(bytes: Uint8Array, program: Program): void {
  const scan = new AttributeScan();
  const { ebgp, fourOctetAs } = program;
  const context: AttributeContext = {
    ebgp,
    fourOctetAs,
    localAs: LOCAL_AS,
    localId: 0x0a000001,
    clusterId: 0x0a000007,
  };
  scanAttributes({ bytes, start: 0, end: bytes.length, context }, scan);
  if (scan.error || scan.rewrite || !fourOctetAs) return;
  const decoded = decodeAttributes(bytes);
  const path = decoded.asPath;
  const length = path.reduce((sum, { type, ases }) => {
    if (type === 'sequence') return sum + ases.length;
    return type === 'set' ? sum + 1 : sum;
  }, 0);
  const first = path.at(0)?.type === 'sequence' ? path[0].ases[0] : 0;
  const address = (text: string | undefined) => (text === undefined ? 0 : parseAddress(text)?.value);
  const flag = (bit: number) => (scan.flags & bit) !== 0;
  assert.deepEqual(
    {
      length: scan.asPathLength,
      first: scan.firstAs,
      nextHop: scan.nextHop,
      med: flag(AttrsFlag.hasMed) ? scan.med : undefined,
      localPref: flag(AttrsFlag.hasLocalPref) ? scan.localPref : undefined,
      originator: scan.originatorId,
      clusters: scan.clusterListLength,
      loop: flag(AttrsFlag.asLoop),
    },
    {
      length,
      first,
      nextHop: address(decoded.nextHop),
      med: decoded.med,
      localPref: decoded.localPref,
      originator: address(decoded.originatorId),
      clusters: decoded.clusterList?.length ?? 0,
      loop: path.some(({ ases }) => ases.includes(LOCAL_AS)),
    },
    'the scan and the object decoder read these attributes differently',
  );
}
