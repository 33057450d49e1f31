import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { documentedKeys } from '@flatroute/common/config/config.ts';
import { parseAgentConfig } from '../../config/load.ts';
import { agentFormat } from '../../config/schema.ts';

const DOCUMENT = new URL('../../../docs/configuration.md', import.meta.url);

const SECONDS: Record<string, number> = { s: 1, min: 60, h: 3600, d: 86_400 };

/** The limits in the type column of docs/configuration.md: "1–100", or "duration, 1 s–1 h" in seconds. */
function limitsOf(type: string): [lowest: number, highest: number] | undefined {
  const match = /^(?:duration, )?(\d+)(?: (s|min|h|d))?–(\d+)(?: (s|min|h|d))?$/.exec(type);
  if (match === null) return undefined;
  const [, low, lowUnit = 's', high, highUnit = 's'] = match;
  return [Number(low) * SECONDS[lowUnit], Number(high) * SECONDS[highUnit]];
}

/** An agent.yaml with a value at a documented key. */
function fileWith(key: string, value: number): string {
  const [section, name] = key.split('.');
  // Applies to a range alone.
  const peer = key === 'peers[].maximumPeers' ? 'range: 10.1.0.0/24' : 'address: 10.0.0.2';
  const line =
    section === 'peers[]'
      ? `peers: [{ ${peer}, as: 64512, ${name}: ${value} }]`
      : `${section}: { ${name}: ${value} }`;
  return `address: 10.0.0.1\nas: 64512\n${line}\n`;
}

describe('docs/configuration.md', () => {
  const rows = readFileSync(DOCUMENT, 'utf8')
    .split(/^## /m)[1]
    .matchAll(/^\| `([\w.[\]]+)` \| ([^|]+) \|/gm);
  const limited = [...rows].flatMap(([, key, type]) => {
    const limits = limitsOf(type);
    return limits === undefined ? [] : [{ key, limits }];
  });

  for (const { key, limits } of limited) {
    const [lowest, highest] = limits;
    it(`states the limits of ${key}, ${lowest} and ${highest}`, () => {
      const isValid = (value: number): boolean => {
        try {
          parseAgentConfig(fileWith(key, value), 'agent.yaml');
          return true;
        } catch {
          return false;
        }
      };
      assert.deepEqual([lowest - 1, lowest, highest, highest + 1].map(isValid), [false, true, true, false]);
    });
  }

  it('states the limits of most numbers', () => {
    assert.ok(limited.length >= 20, `${limited.length}`);
  });

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
