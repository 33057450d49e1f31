/** What is wrong with policy data, and where: the keys and indices that lead to it. */
export interface PolicyProblem {
  path: readonly (string | number)[];
  message: string;
}

/** Thrown for policy data that cannot be compiled; it tells everything that is wrong. */
export class PolicyError extends Error {
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super(problems.map(({ path, message }) => `${formatPath(path)} ${message}`).join('\n'));
    this.name = 'PolicyError';
    this.problems = problems;
  }
}

/** A path as people write it: `policies.tor-in.rules[2].match.prefixes[0]`. */
export function formatPath(path: readonly (string | number)[]): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`))
    .join('');
}
