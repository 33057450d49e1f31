/** The protocol between a lab and the speaker program. */

import type { OriginateOptions, PeerOptions, SpeakerOptions } from 'bgp-js';

/** The program's configuration file. */
export interface SpeakerPlan {
  speaker: SpeakerOptions;
  listen: { address: string; port: number } | null;
  peers: PeerOptions[];
  originate: OwnRoute[];
  feeders: FeederPlan[];
}

/** A further speaker in the same process, with one peer. */
export interface FeederPlan {
  as: number;
  /** Its own address; it connects. */
  address: string;
  peer: PeerOptions;
  originate: OwnRoute[];
}

/** A route of our own. */
export interface OwnRoute {
  prefix: string;
  options?: OriginateOptions;
}

/** One line to the program. */
export interface Call {
  id: number;
  method: string;
  args: unknown[];
}

/** One line from the program. */
export interface Answer {
  id?: number;
  ready?: true;
  value?: unknown;
  error?: string;
}
