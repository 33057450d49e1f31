/** Named one-shot timers that never keep the process alive. */
export class Schedule {
  readonly #timers = new Map<string, { timer: NodeJS.Timeout; due: number }>();
  #closed = false;

  /** Runs `work` once, `delayMs` from now; not at all when `name` is due earlier already. */
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

  /** Drops what is due under this name. */
  cancel(name: string): void {
    clearTimeout(this.#timers.get(name)?.timer);
    this.#timers.delete(name);
  }

  /** Drops everything, now and from now on. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
