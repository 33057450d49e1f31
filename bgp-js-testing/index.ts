export * from './simulator/bench.ts';
export * from './simulator/far-end.ts';
export * from './simulator/network.ts';
export * from './simulator/random.ts';
export * from './simulator/scenario.ts';
export * from './simulator/simulation.ts';
