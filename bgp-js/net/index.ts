export * from './host.ts';
export * from './host-options.ts';
export * from './rehearsal.ts';
