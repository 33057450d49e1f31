/** What a fuzzed peer does: the type of its session, its OPEN, and the messages that it then sends. */

import { CapabilityCode, fourOctetAsValue } from 'bgp-js/wire/capability.ts';
import { openBytes } from '../simulator/far-end.ts';
import { capabilitiesFor, FEATURES, type Features } from './features.ts';

/** The AS of the speaker, of the fuzzed peer when it is external, and of the witness. */
export const LOCAL_AS = 64512;
export const FUZZED_AS = 65001;

export interface Program {
  ebgp: boolean;
  /** Whether the peer has the capability of RFC 6793. */
  fourOctetAs: boolean;
  features: Features;
  open: Uint8Array;
  messages: Uint8Array[];
}

/** The OPEN of a well-behaved peer of this type. */
export function validOpen({
  ebgp,
  fourOctetAs,
  features,
}: Pick<Program, 'ebgp' | 'fourOctetAs' | 'features'>): Uint8Array {
  const as = ebgp ? FUZZED_AS : LOCAL_AS;
  const number = { code: CapabilityCode.fourOctetAs, value: fourOctetAsValue(as) };
  return openBytes(as, { capabilities: [...capabilitiesFor(features), ...(fourOctetAs ? [number] : [])] });
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** The program as readable text, for `parseProgram`; `finding` is its error. */
export function formatProgram(program: Program, finding: string): string {
  const { ebgp, fourOctetAs, features, open, messages } = program;
  const document = {
    finding,
    ebgp,
    fourOctetAs,
    features: [...features],
    open: toHex(open),
    messages: messages.map(toHex),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Reads what `formatProgram` wrote. Throws an Error for anything else. */
export function parseProgram(text: string): Program {
  const { ebgp, fourOctetAs, features = [], open, messages } = JSON.parse(text) as Record<string, unknown>;
  const hex = (value: unknown): value is string =>
    typeof value === 'string' && /^([0-9a-f]{2})*$/.test(value);
  if (typeof ebgp !== 'boolean' || typeof fourOctetAs !== 'boolean' || !hex(open)) {
    throw new Error('not a fuzz program: ebgp, fourOctetAs and open are required');
  }
  if (!Array.isArray(messages) || !messages.every(hex))
    throw new Error('messages must be a list of hex strings');
  const named = FEATURES.filter((feature) => Array.isArray(features) && features.includes(feature));
  return {
    ebgp,
    fourOctetAs,
    features: new Set(named),
    open: fromHex(open),
    messages: messages.map(fromHex),
  };
}
