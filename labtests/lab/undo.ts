/** A list of undo steps. The newest runs first, and a failing step does not stop the others. */
export class UndoList {
  #steps: { what: string; undo: () => Promise<void> }[] = [];

  /** Adds a step. Push it before the action if undoing is harmless when the action never happened. */
  push(what: string, undo: () => Promise<void>): void {
    this.#steps.push({ what, undo });
  }

  /** Runs all steps and clears the list; returns a text for each failure. */
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
