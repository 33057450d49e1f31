import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { ConfigError } from '../../config/config.ts';
import { followSettings, SettingsFile, type SettingsSource } from '../../config/settings-source.ts';
import { createLogger } from '../../process/log.ts';

const schema = z.object({ as: z.number() });
const format = { schema, check: () => {}, settings: (config: z.output<typeof schema>) => config };

describe('a settings file', () => {
  let folder: string;
  let file: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flatroute-settings-'));
    file = join(folder, 'agent.yaml');
  });
  after(() => rm(folder, { recursive: true }));

  it('is read each time the current settings are asked for', async () => {
    const source = new SettingsFile(file, format);
    await writeFile(file, 'as: 1\n');
    assert.deepEqual(await source.current(), { as: 1 });
    await writeFile(file, 'as: 2\n');
    assert.deepEqual(await source.current(), { as: 2 });
    await writeFile(file, 'as: x\n');
    await assert.rejects(source.current(), ConfigError);
  });

  it('reports several notices as one change until it is read, and later ones again', async () => {
    const source = new SettingsFile(file, format);
    const changes = source.changes();
    let reported = 0;
    const next = async () => {
      await changes.next();
      reported++;
    };
    source.notify();
    source.notify();
    await next();
    const second = next();
    await new Promise(setImmediate);
    assert.equal(reported, 1);
    source.notify();
    await second;
    assert.equal(reported, 2);
  });
});

describe('following settings', () => {
  /** A source with one state per change; `current` throws a state that is an Error. */
  function sourceOf(...states: (number | Error)[]): SettingsSource<number> {
    let index = -1;
    return {
      current: async () => {
        const state = states[index];
        if (state instanceof Error) throw state;
        return state;
      },
      async *changes() {
        for (index = 0; index < states.length; index++) yield;
      },
    };
  }

  it('applies every change in order, one after the other', async () => {
    const steps: string[] = [];
    const log = createLogger({ level: 'info', format: 'json', destination: { write: () => {} } });
    await followSettings(
      sourceOf(1, 2),
      async (settings) => {
        steps.push(`begin ${settings}`);
        await new Promise(setImmediate);
        steps.push(`end ${settings}`);
      },
      log,
    );
    assert.deepEqual(steps, ['begin 1', 'end 1', 'begin 2', 'end 2']);
  });

  it('logs settings that cannot be read or applied, each problem on its line, and goes on', async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(JSON.parse(line).msg) };
    const log = createLogger({ level: 'info', format: 'json', destination });
    const applied: number[] = [];
    const apply = (settings: number) => {
      if (settings === 2) throw new Error('as: cannot change');
      applied.push(settings);
    };
    await followSettings(sourceOf(1, new Error('a.yaml:1:1: first\na.yaml:2:1: second'), 2, 3), apply, log);
    assert.deepEqual(applied, [1, 3]);
    const kept = 'the configuration was not reloaded; the previous one stays in force';
    assert.deepEqual(lines, ['a.yaml:1:1: first', 'a.yaml:2:1: second', kept, 'as: cannot change', kept]);
  });
});
