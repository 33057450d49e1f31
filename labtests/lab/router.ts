/** What a lab needs of a foreign router, whatever its software. */

import type { RouterMachine } from './topology.ts';

/** Where a lab puts a router, and how its sessions are timed. */
export interface RouterOptions<M extends RouterMachine = RouterMachine> {
  lab: string;
  netns: string;
  /** The machine's own, which exists. */
  folder: string;
  machine: M;
  holdTimeSeconds: number;
}

export interface LabRouter {
  readonly machine: RouterMachine;
  /** What it is, for messages: "BIRD on tor". */
  readonly title: string;
  start(): Promise<void>;
  /** Rejects while it does not answer. */
  answers(): Promise<unknown>;
  stop(): Promise<void>;
  /** The names of the BGP sessions that are Established. */
  establishedPeers(): Promise<string[]>;
  /** Whether its RIB holds a best route to exactly this prefix, by BGP. */
  hasRoute(prefix: string): Promise<boolean>;
}
