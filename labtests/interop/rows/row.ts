/** One row of the matrix: something that a session can do, tried against every kind of router. */

import type { Bench } from '../bench.ts';
import type { RouterKind } from '../peers/router.ts';

/** A scenario: throws when what it tries does not work. */
export type Scenario = (bench: Bench) => Promise<void>;

/** Shows that a router lacks something: the evidence in words; throws when it has it after all. */
export type Lack = (bench: Bench) => Promise<string>;

export interface Row {
  /** Short and stable: with a kind of router it names a cell on the command line. */
  name: string;
  /** What is tried, in words. */
  title: string;
  run: Scenario;
  /** A codec that does not know what was negotiated cannot read it (ADD-PATH): left out of the comparison. */
  opaque?: boolean;
  /** What has to be there first, when a cell of the row cannot pass yet: it is shown as pending and not run. */
  pending?: Partial<Record<RouterKind, string>>;
  /** Routers that cannot do it, and how that is seen. */
  lacks?: Partial<Record<RouterKind, Lack>>;
}
