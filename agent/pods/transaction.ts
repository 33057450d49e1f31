/** A plan is a list of steps, each with what undoes it: the undo list is data, not an error handler's memory. */

/** One step. `undo` must also be right when `run` failed half-way, as it is called then too. */
export interface Step {
  /** Completes "cannot …". */
  name: string;
  run: () => void | Promise<void>;
  undo?: () => void | Promise<void>;
}

/** A step failed. */
export class TransactionError extends Error {
  override name = 'PlanError';
  override readonly cause: unknown;
  /** What could not be undone; empty when all is as before. */
  readonly leftovers: string[];

  constructor(step: string, cause: unknown, leftovers: string[]) {
    super(`cannot ${step}: ${(cause as Error).message}`);
    this.cause = cause;
    this.leftovers = leftovers;
  }
}

/** Carries the steps out in order; where one fails, what was done is undone in reverse. Throws a PlanError. */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  for (let at = 0; at < steps.length; at++) {
    try {
      await steps[at].run();
    } catch (error) {
      throw new TransactionError(steps[at].name, error, await undo(steps.slice(0, at + 1).reverse()));
    }
  }
}

async function undo(steps: readonly Step[]): Promise<string[]> {
  const leftovers: string[] = [];
  for (const step of steps) {
    try {
      await step.undo?.();
    } catch (error) {
      leftovers.push(`undo "${step.name}": ${(error as Error).message}`);
    }
  }
  return leftovers;
}
