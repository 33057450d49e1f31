export * from './host.ts';
export type { ListenAddress } from './listener.ts';
