/** Exit codes of the signals that end a lab: 128 and the signal's number, as a shell has it. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs `stop` once, and exits, when a signal asks for it or when the process that started this one has died.
 * Repeated signals do not cut the tear-down short.
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
  // The channel to the parent is there to notice its death, not to keep this process alive.
  process.channel?.unref();
}
