/** Waiting times between attempts to reach a peer (RFC 4271 §8.1.1 DampPeerOscillations, §10 jitter). */
export class Backoff {
  private failures = 0;

  /** Forgets the failures; call when a session has proven itself. */
  reset(): void {
    this.failures = 0;
  }

  /**
   * The next wait in ms: it begins at a fifth of `retryMs` and doubles up to `capMs`, times a jitter of 0.75–1.
   */
  next(retryMs: number, capMs: number, random: () => number): number {
    const wait = Math.min(capMs, (retryMs / 5) * 2 ** this.failures);
    if (this.failures < 16) this.failures++;
    return wait * (0.75 + 0.25 * random());
  }
}
