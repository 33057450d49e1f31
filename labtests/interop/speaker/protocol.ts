/** What a lab and the speaker program say to one another. */

import type { OriginateOptions, PeerOptions, SpeakerOptions } from 'bgp-js';

/** The program's configuration file. */
export interface SpeakerPlan {
  speaker: SpeakerOptions;
  listen: { address: string; port: number } | null;
  peers: PeerOptions[];
  originate: OwnRoute[];
  feeders: FeederPlan[];
}

/** A further speaker in the same process, which gives its routes to one peer. */
export interface FeederPlan {
  as: number;
  /** Its own, on which it speaks; it begins the session. */
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

/** One line from it. */
export interface Answer {
  id?: number;
  ready?: true;
  value?: unknown;
  error?: string;
}
