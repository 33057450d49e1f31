/** The life of a daemon: signals, reloads, and failures of the program itself. */
import type { EventEmitter } from 'node:events';
import type { Logger } from './log.ts';

/** What a daemon does on signals. */
export interface LifecycleOptions {
  log: Logger;
  /** Stops cleanly; called once, on SIGTERM or SIGINT. */
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>;
  /** Stops for a restart that follows immediately; called once, on SIGUSR2. `stop` by default. */
  stopForRestart?(): Promise<void>;
  /** Asks for the configuration to be read again; called on SIGHUP. */
  reload(): void;
  /** How long `stop` may take before the process exits anyway; 10 s by default. */
  stopTimeoutMs?: number;
}

/**
 * Handles signals and failures. SIGTERM and SIGINT stop the daemon within a time limit and exit with 0; SIGUSR2 does the
 * same for a restart. A second signal exits immediately with 1. An uncaught failure is logged and exits with 1. Pods keep
 * running: their links and routes belong to the kernel, and the restarted daemon finds them.
 */
export function runLifecycle(options: LifecycleOptions): void {
  const { log } = options;
  const limit = options.stopTimeoutMs ?? 10_000;
  let stopping = false;

  const stop = async (signal: 'SIGTERM' | 'SIGINT' | 'SIGUSR2') => {
    if (stopping) {
      log.warn(`${signal} while stopping: exiting now`);
      process.exit(1);
    }
    stopping = true;
    const restarting = signal === 'SIGUSR2' && options.stopForRestart !== undefined;
    log.info(restarting ? `stopping for a restart (${signal})` : `stopping (${signal})`);
    const timer = setTimeout(() => {
      log.error(`stop takes longer than ${limit / 1000} s: exiting`);
      process.exit(1);
    }, limit);
    try {
      if (restarting) await options.stopForRestart?.();
      else await options.stop(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM');
    } catch (err) {
      log.error({ err }, 'stop failed');
      process.exit(1);
    }
    clearTimeout(timer);
    log.info('stopped');
    process.exit(0);
  };

  const reload = () => {
    if (!stopping) options.reload();
  };

  const exit = (what: string) => (err: unknown) => {
    log.fatal({ err }, `${what}: exiting`);
    process.exit(1);
  };

  const handlers: [string, (argument: unknown) => void][] = [
    ['SIGTERM', () => void stop('SIGTERM')],
    ['SIGINT', () => void stop('SIGINT')],
    ['SIGUSR2', () => void stop('SIGUSR2')],
    ['SIGHUP', reload],
    ['uncaughtException', exit('uncaught exception')],
    ['unhandledRejection', exit('unhandled rejection')],
  ];
  const events: EventEmitter = process;
  for (const [event, handler] of handlers) events.on(event, handler);
}
