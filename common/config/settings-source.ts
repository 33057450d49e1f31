/**
 * Where a daemon gets its settings from: a YAML file now, an API later.
 *
 * A source does not deliver changes, it reports that something may have changed, and the daemon reads the current
 * settings again. So a burst of changes costs one reload, and a change that is missed is made up for by the next one.
 */
import type { Logger } from '../process/log.ts';
import { type ConfigFormat, loadConfig } from './config.ts';

/** A source of checked settings of one daemon. */
export interface SettingsSource<S> {
  /** The settings as they are now. Throws `ConfigError` with everything that is wrong with them. */
  current(): Promise<S>;
  /** Yields each time the settings may have changed; changes that arrive in between count as one. For one reader. */
  changes(): AsyncIterable<void>;
}

/** Settings in a YAML file, which is read again when the operator asks for it (SIGHUP). */
export class SettingsFile<C, S> implements SettingsSource<S> {
  readonly #file: string;
  readonly #format: ConfigFormat<C, S>;
  #changed = false;
  #wake = () => {};

  constructor(file: string, format: ConfigFormat<C, S>) {
    this.#file = file;
    this.#format = format;
  }

  current(): Promise<S> {
    return loadConfig(this.#file, this.#format);
  }

  /** Reports that the file may have changed. */
  notify(): void {
    this.#changed = true;
    this.#wake();
  }

  async *changes(): AsyncGenerator<void, never> {
    for (;;) {
      if (!this.#changed) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      this.#changed = false;
      yield;
    }
  }
}

/**
 * Applies every change of the settings, one after the other, for as long as the source reports any. Settings that
 * cannot be read or applied are logged, each problem on its own line, and the daemon goes on with those it has.
 */
export async function followSettings<S>(
  source: SettingsSource<S>,
  apply: (settings: S) => void | Promise<void>,
  log: Logger,
): Promise<void> {
  for await (const _ of source.changes()) {
    try {
      await apply(await source.current());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      for (const line of reason.split('\n')) log.error(line);
      log.error('the configuration was not reloaded; the previous one stays in force');
    }
  }
}
