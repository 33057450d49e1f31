import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { documentedKeys } from '@flatroute/common/config/config.ts';
import { parseAgentConfig } from '../../config/load.ts';
import { agentFormat } from '../../config/schema.ts';

const DOCUMENT = new URL('../../../docs/configuration.md', import.meta.url);

describe('docs/configuration.md', () => {
  it('has a line for every key of agent.yaml and for no other key', () => {
    const chapter =
      readFileSync(DOCUMENT, 'utf8')
        .split(/^## /m)
        .find((text) => text.startsWith('agent.yaml')) ?? '';
    const rows = [...chapter.matchAll(/^\| (`.+?) \|/gm)].map((match) => match[1]);
    const keys = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]));
    assert.deepEqual(keys.sort(), documentedKeys(agentFormat).sort());
  });
});

describe('docs/policy.md', () => {
  const text = readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
  const examples = [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map((match) => match[1]);

  for (const [index, example] of examples.entries()) {
    it(`example ${index + 1} can be used`, () => {
      parseAgentConfig(`address: 10.0.0.1\nas: 64512\npodCIDRs: [10.244.1.0/26]\n${example}`, 'agent.yaml');
    });
  }
});
