/** Named one-shot timers that do not keep the process alive. */
export class Schedule {
  readonly #timers = new Map<string, { timer: NodeJS.Timeout; due: number }>();
  #closed = false;

  /** Runs `work` once, in `delayMs`. Without effect when a timer of this name is due earlier. */
  after(name: string, delayMs: number, work: () => void): void {
    const due = performance.now() + delayMs;
    const pending = this.#timers.get(name);
    if (this.#closed || (pending && pending.due <= due)) return;
    clearTimeout(pending?.timer);
    const fire = () => {
      this.#timers.delete(name);
      work();
    };
    this.#timers.set(name, { timer: setTimeout(fire, delayMs).unref(), due });
  }

  /** Cancels the timer of this name. */
  cancel(name: string): void {
    clearTimeout(this.#timers.get(name)?.timer);
    this.#timers.delete(name);
  }

  /** Cancels all timers and accepts no more. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
