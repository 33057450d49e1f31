/** Exit codes of the signals that stop a lab: 128 plus the signal's number, as in a shell. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs `stop` once and exits, on a signal or when the parent process has died. Further signals do not interrupt it.
 */
export function stopOnSignals(stop: () => Promise<unknown>): void {
  let stopping = false;
  const end = (code: number) => {
    if (stopping) return;
    stopping = true;
    stop().then(
      () => process.exit(code),
      (error: Error) => {
        process.stderr.write(`the lab could not be taken down: ${error.message}\n`);
        process.exit(1);
      },
    );
  };
  for (const [signal, code] of Object.entries(exitCodes)) process.on(signal, () => end(code));
  process.on('disconnect', () => end(exitCodes.SIGTERM));
  // The channel to the parent only serves to notice its death; it must not keep this process alive.
  process.channel?.unref();
}
