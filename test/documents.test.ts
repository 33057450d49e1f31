import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseAgentConfig } from '@flatroute/agent/config/load.ts';
import { parseReflectorConfig } from '@flatroute/reflector/config/load.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const readme = read('README.md');

/** The first fenced block after a text. */
function blockAfter(text: string): string {
  const start = readme.indexOf('```', readme.indexOf(text));
  const body = readme.indexOf('\n', start) + 1;
  assert.ok(readme.includes(text) && start > 0, `README.md has no block after "${text}"`);
  return readme.slice(body, readme.indexOf('```', body));
}

describe('documents and examples', () => {
  it('deploy/agent.yaml and deploy/reflector.yaml are valid', () => {
    const agent = parseAgentConfig(read('deploy/agent.yaml'), 'agent.yaml');
    assert.deepEqual(agent.podCIDRs.map(String), ['10.244.1.0/26']);
    const reflector = parseReflectorConfig(read('deploy/reflector.yaml'), 'reflector.yaml');
    assert.equal(reflector.clients.length, 1);
  });

  it("the README's agent.yaml is valid", () => {
    const agent = parseAgentConfig(blockAfter('An agent needs few keys'), 'README.md');
    assert.equal(agent.peers[0].as, 65001);
  });

  it("BIRD accepts the README's configuration", () => {
    const folder = mkdtempSync(join(tmpdir(), 'flatroute-readme-'));
    try {
      const file = join(folder, 'bird.conf');
      writeFileSync(file, `router id 10.0.0.254;\nprotocol device { }\n${blockAfter('**BIRD 2**')}`);
      execFileSync('bird', ['-p', '-c', file], { stdio: 'pipe' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('links between documents lead somewhere', () => {
    const broken = [
      'README.md',
      'docs/operations.md',
      'docs/architecture.md',
      'docs/dependencies.md',
      'docs/policy.md',
      'docs/configuration.md',
    ].flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)]
        .map((match) => match[1])
        .filter((target) => !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path} → ${target}`),
    );
    assert.deepEqual(broken, []);
  });

  it('docs/rfc.md names tests that there are', () => {
    const cells = [...read('docs/rfc.md').matchAll(/\| ([^|]*) \|$/gm)].map((match) => match[1]);
    const named = cells.flatMap((cell) =>
      [...cell.matchAll(/`([\w-]+\/[\w/-]+)`/g)].map((match) => match[1]),
    );
    assert.ok(named.length > 100, `${named.length} tests`);
    const missing = named.filter((name) => {
      const places = [`bgp-js/test/${name}.test.ts`, `${name}.test.ts`, name];
      return !places.some((place) => existsSync(join(root, place)));
    });
    assert.deepEqual(missing, []);
  });

  it('every dependency has its reason in docs/dependencies.md', () => {
    const { workspaces } = JSON.parse(read('package.json')) as { workspaces: string[] };
    const reasons = read('docs/dependencies.md');
    const missing = ['.', ...workspaces].flatMap((folder) => {
      const manifest = JSON.parse(read(join(folder, 'package.json'))) as Record<
        string,
        Record<string, string>
      >;
      return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })
        .filter((name) => !name.startsWith('@flatroute/') && !workspaces.includes(name))
        .filter((name) => !reasons.includes(`\`${name}\``))
        .map((name) => `${name} of ${folder}`);
    });
    assert.deepEqual(missing, []);
  });

  it('no place for output is left empty in the README', () => {
    assert.deepEqual(readme.match(/<!-- OUTPUT.*-->/g) ?? [], []);
  });
});
