export * from './network.ts';
export * from './random.ts';
export * from './scenario.ts';
export * from './simulation.ts';
