/** From start to stop of a daemon: signals, reloads, and what happens when the program itself fails. */
import type { EventEmitter } from 'node:events';
import type { Logger } from './log.ts';

/** What a daemon does at the turns of its life. */
export interface LifecycleOptions {
  log: Logger;
  /** Stops in good order; called once, on SIGTERM or SIGINT. */
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>;
  /** Stops for a restart that follows at once; called once, on SIGUSR2. Without it, `stop` is. */
  leave?(): Promise<void>;
  /** Asks for the configuration to be read again; called on SIGHUP. */
  reload?(): void;
  /** How long `stop` may take before the process ends without it. */
  stopTimeoutMs?: number;
}

/** Signals and failures of this process are handled until `release`. */
export interface Lifecycle {
  /** Begins the orderly stop, as SIGTERM does. */
  stop(): void;
  /** Takes the handlers away again. */
  release(): void;
}

/**
 * Takes over signals and failures. SIGTERM and SIGINT stop once, within a limit, and exit with 0; so does SIGUSR2, but
 * as one who comes back at once. A second signal
 * ends the process at once. An uncaught failure is logged and exits with 1: pods keep running, as their links and
 * routes are the kernel's, and the restarted daemon finds them.
 */
export function runLifecycle(options: LifecycleOptions): Lifecycle {
  const { log } = options;
  const limit = options.stopTimeoutMs ?? 10_000;
  let stopping = false;

  const stop = async (signal: 'SIGTERM' | 'SIGINT' | 'SIGUSR2') => {
    if (stopping) {
      log.warn(`${signal} again while stopping: ending at once`);
      process.exit(1);
    }
    stopping = true;
    const leaving = signal === 'SIGUSR2' && options.leave !== undefined;
    log.info(leaving ? `leaving on ${signal}, for a restart` : `stopping on ${signal}`);
    const timer = setTimeout(() => {
      log.error(`not stopped after ${limit / 1000} s: ending without the rest`);
      process.exit(1);
    }, limit);
    try {
      if (leaving) await options.leave?.();
      else await options.stop(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM');
    } catch (err) {
      log.error({ err }, 'the stop failed');
      process.exit(1);
    }
    clearTimeout(timer);
    log.info('stopped');
    process.exit(0);
  };

  const reload = () => {
    if (stopping) return;
    if (options.reload === undefined) log.warn('SIGHUP: there is nothing to reload');
    else options.reload();
  };

  const fail = (what: string) => (err: unknown) => {
    log.fatal({ err }, `${what}: ending; pods keep running`);
    process.exit(1);
  };

  const handlers: [string, (argument: unknown) => void][] = [
    ['SIGTERM', () => void stop('SIGTERM')],
    ['SIGINT', () => void stop('SIGINT')],
    ['SIGUSR2', () => void stop('SIGUSR2')],
    ['SIGHUP', reload],
    ['uncaughtException', fail('uncaught exception')],
    ['unhandledRejection', fail('unhandled rejection')],
  ];
  const events: EventEmitter = process;
  for (const [event, handler] of handlers) events.on(event, handler);
  return {
    stop: () => void stop('SIGTERM'),
    release: () => {
      for (const [event, handler] of handlers) events.off(event, handler);
    },
  };
}
