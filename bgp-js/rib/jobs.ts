/** Does a piece of work of the size `budget` from `from` on, which is 0 at first; returns where to go on, or 0 when done. */
export type Piecewise = (from: number, budget: number) => number;

/** Background work in slices: each job does a little, says where to go on, and is done at the end. */
interface Job {
  /** Does a slice from `from` on; returns where to go on, or 0 when done. */
  run(from: number): number;
  from: number;
  done(): void;
}

export class Jobs {
  private list: Job[] = [];

  get waiting(): boolean {
    return this.list.length > 0;
  }

  add(run: (from: number) => number, done: () => void = () => {}): void {
    this.list.push({ run, from: 0, done });
  }

  /** Does one slice of the oldest job. */
  work(): void {
    const job = this.list[0];
    if (!job) return;
    job.from = job.run(job.from);
    if (job.from !== 0) return;
    this.list.shift();
    job.done();
  }
}
