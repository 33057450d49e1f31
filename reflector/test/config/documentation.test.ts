import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { documentedKeys } from '@flatroute/common/config/config.ts';
import { reflectorFormat } from '../../config/schema.ts';

const DOCUMENT = new URL('../../../docs/configuration.md', import.meta.url);

describe('docs/configuration.md', () => {
  it('has one line for every key of reflector.yaml, and none for others', () => {
    const chapter =
      readFileSync(DOCUMENT, 'utf8')
        .split(/^## /m)
        .find((text) => text.startsWith('reflector.yaml')) ?? '';
    const rows = [...chapter.matchAll(/^\| (`.+?) \|/gm)].map((match) => match[1]);
    const keys = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]));
    assert.deepEqual(keys.sort(), documentedKeys(reflectorFormat).sort());
  });
});
