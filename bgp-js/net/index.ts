export * from './host.ts';
export type { HostOptions } from './host-options.ts';
export * from './rehearsal.ts';
