import type { SpeakerEvent } from '../speaker/speaker-types.ts';
import type { ListenAddress } from './listener.ts';

/** Where and how a speaker runs on TCP. */
export interface HostOptions {
  /** Where sessions are accepted; null: nowhere. */
  listen: ListenAddress | readonly ListenAddress[] | null;
  /** Source address of our connections to peers of its family; without it the kernel chooses. */
  localAddress?: string;
  /** TCP's congestion control, by the kernel's name; without it the kernel's own choice. */
  congestionControl?: string;
  /** Milliseconds of work before the event loop turns, 1.25 where it is not told; output may take three times as long. */
  sliceMs?: number;
  /** Called with what happened, after it happened. */
  onEvent?: (event: SpeakerEvent) => void;
  /** Called after routes may have changed, at most once a slice. */
  onWork?: () => void;
  /** Called when nothing is to be done and many connections have ended since; without it the heap is collected. */
  collect?: () => void;
}

/** All options, none of them chosen: objects that are made over this one are alike, and so is the code for them. */
export const DEFAULT_HOST_OPTIONS: HostOptions = {
  listen: null,
  localAddress: undefined,
  congestionControl: undefined,
  sliceMs: undefined,
  onEvent: undefined,
  onWork: undefined,
  collect: undefined,
};
