/** One row of the matrix: something that a session can do, tried against every kind of router. */

import type { InteropBench } from '../bench.ts';
import type { RouterKind } from '../peers/router.ts';

/** A scenario: throws when what it tries does not work. */
export type Scenario = (bench: InteropBench) => Promise<void>;

/** Shows that a router lacks something: the evidence in words; throws when it has it after all. */
export type Lack = (bench: InteropBench) => Promise<string>;

export interface MatrixRow {
  /** Short and stable: with a kind of router it names a cell on the command line. */
  name: string;
  /** What is tried, in words. */
  title: string;
  run: Scenario;
  /**
   * The codec that cannot read what is sent, so that the other one has to do: scapy 2.5 knows neither ADD-PATH nor IPv4
   * routes in MP_REACH_NLRI, tshark 4.0 no message of more than 4,096 octets.
   */
  unreadable?: 'scapy' | 'tshark';
  /** Routers that cannot do it, and how that is seen. */
  lacks?: Partial<Record<RouterKind, Lack>>;
}
