export * from './random.ts';
export * from './simulation.ts';
