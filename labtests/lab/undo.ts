/** A list of undo steps: what was done last is undone first, and one failing step does not stop the others. */
export class UndoList {
  #steps: { what: string; undo: () => Promise<void> }[] = [];

  /** Adds a step; push before the thing is done where undoing what was never done is harmless. */
  push(what: string, undo: () => Promise<void>): void {
    this.#steps.push({ what, undo });
  }

  /** Runs and forgets all steps; returns what could not be undone, in words. */
  async run(): Promise<string[]> {
    const failures: string[] = [];
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        failures.push(`${step.what}: ${(error as Error).message}`);
      }
    }
    return failures;
  }
}
