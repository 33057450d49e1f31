/** Runs a speaker on TCP. */
export { type HostOptions, SpeakerHost } from './host.ts';
export type { ListenAddress } from './listener.ts';
export type { LivenessMonitor } from './liveness.ts';
