import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { documentedKeys } from '@flatroute/daemon/config.ts';
import { agentFormat } from '../../config/schema.ts';

const DOCUMENT = new URL('../../../docs/configuration.md', import.meta.url);

describe('docs/configuration.md', () => {
  it('has a line for every key of agent.yaml, and none for keys that are not there', () => {
    const chapter =
      readFileSync(DOCUMENT, 'utf8')
        .split(/^## /m)
        .find((text) => text.startsWith('agent.yaml')) ?? '';
    const rows = [...chapter.matchAll(/^\| (`.+?) \|/gm)].map((match) => match[1]);
    const keys = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]));
    assert.deepEqual(keys.sort(), documentedKeys(agentFormat).sort());
  });
});
