export * from './bench.ts';
export * from './far-end.ts';
export * from './network.ts';
export * from './random.ts';
export * from './scenario.ts';
export * from './simulation.ts';
