/** The interface of a lab to a foreign router, whatever its software. */

import type { RouterMachine } from './topology.ts';

/** Where a router runs in a lab, and its hold time. */
export interface RouterOptions<M extends RouterMachine = RouterMachine> {
  lab: string;
  netns: string;
  /** The machine's own folder, which exists. */
  folder: string;
  machine: M;
  holdTimeSeconds: number;
}

export interface LabRouter {
  readonly machine: RouterMachine;
  /** Its name in messages: "BIRD on tor". */
  readonly title: string;
  start(): Promise<void>;
  /** Rejects while it does not answer. */
  answers(): Promise<unknown>;
  stop(): Promise<void>;
  /** The names of the peers whose sessions are Established. */
  establishedPeers(): Promise<string[]>;
  /** Whether its RIB has a best route by BGP to exactly this prefix. */
  hasRoute(prefix: string): Promise<boolean>;
}
