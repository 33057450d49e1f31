/** One row of the matrix: something that a session can do, tried against every kind of router. */

import type { InteropBench } from '../bench.ts';
import type { RouterKind } from '../peers/router.ts';

/** A scenario; throws an Error when it does not work. */
type Scenario = (bench: InteropBench) => Promise<void>;

/** Shows that a router lacks something; returns the evidence as text, and throws when the router has it. */
export type Lack = (bench: InteropBench) => Promise<string>;

export interface MatrixRow {
  /** Short and stable: with a kind of router it names a cell on the command line. */
  name: string;
  /** What is tried. */
  title: string;
  run: Scenario;
  /**
   * The codec that cannot decode what is sent, so that only the other one checks it: scapy 2.5 lacks ADD-PATH and IPv4
   * routes in MP_REACH_NLRI, tshark 4.0 messages of more than 4,096 octets.
   */
  unreadable?: 'scapy' | 'tshark';
  /** Routers that cannot do it, with the proof. */
  lacks?: Partial<Record<RouterKind, Lack>>;
}
