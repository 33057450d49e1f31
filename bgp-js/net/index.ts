export * from './host.ts';
export * from './rehearsal.ts';
