export * from './as-path-pattern.ts';
export { type CommunityPattern, parseCommunityPattern } from './community-pattern.ts';
export * from './policy.ts';
export * from './policy-data.ts';
export * from './policy-error.ts';
export * from './policy-registry.ts';
export * from './policy-run.ts';
export * from './prefix-list.ts';
