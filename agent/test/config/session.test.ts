import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { changedKeys, parseAgentConfig } from '../../config/load.ts';
import type { AgentSettings } from '../../config/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatroute-session-'));

function parse(peer: string): AgentSettings {
  return parseAgentConfig(`address: 10.0.0.1\nas: 64512\npeers:\n  - { ${peer} }\n`, 'agent.yaml');
}

function keyFile(text: string, mode = 0o600): string {
  const path = join(folder, `key-${Math.random()}`);
  writeFileSync(path, text, { mode });
  return path;
}

describe("a session's options", () => {
  after(() => rmSync(folder, { recursive: true }));

  it('become those of the BGP library', () => {
    const options =
      'families: [ipv4-unicast, ipv6-unicast], addPath: { send: 4 }, gracefulRestart: { restartTime: 2m }, ' +
      `maximumPrefixesWarning: 80, passwordFile: ${keyFile('of the rack\n')}, multihop: 4, userTimeout: 3m`;
    const [peer] = parse(`address: 2001:DB8::1, as: 65001, ${options}`).peers;
    assert.equal(peer.address?.toString(), '2001:db8::1');
    assert.deepEqual(peer.families, ['ipv4-unicast', 'ipv6-unicast']);
    assert.deepEqual(peer.addPath, { receive: false, send: 4 });
    assert.equal(peer.restartTime, 120);
    assert.equal(peer.maximumPrefixesWarning, 0.8);
    assert.deepEqual(peer.transport, { password: 'of the rack', ttl: 4, userTimeoutMs: 180_000 });
  });

  it('bound the times of graceful restart by the width of their fields (RFC 4724 §3, RFC 9494 §3)', () => {
    const restart = (keys: string) =>
      parse(`address: 10.0.0.2, as: 65001, gracefulRestart: { ${keys} }`).peers[0];
    for (const seconds of [0, 4095]) assert.equal(restart(`restartTime: ${seconds}`).restartTime, seconds);
    assert.throws(() => restart('restartTime: 4096'), /out of range \(0–4095 seconds\)/);
    for (const seconds of [0, 16_777_215])
      assert.equal(restart(`longLivedStaleTime: ${seconds}`).longLivedStaleTime, seconds);
    assert.throws(() => restart('longLivedStaleTime: 16777216'), /out of range/);
  });

  it('are absent when no key is set', () => {
    const [peer] = parse('address: 10.0.0.2, as: 65001').peers;
    assert.ok(!('transport' in peer) && !('families' in peer));
  });

  const MISTAKES: [string, () => string, RegExp][] = [
    [
      'a key for all to read',
      () => `passwordFile: ${keyFile('x', 0o644)}`,
      /:4:\d+: .*passwordFile: .*chmod 600/,
    ],
    ['an empty key', () => `passwordFile: ${keyFile('\n')}`, /does not contain a key/],
    ['a key that is too long', () => `passwordFile: ${keyFile('x'.repeat(81))}`, /1–80 bytes/],
    ['a key file that is not there', () => `passwordFile: ${folder}/none`, /cannot be read \(ENOENT\)/],
    ['GTSM and multihop', () => 'ttlSecurity: 1, multihop: 3', /peers\[0\].multihop: .*ttlSecurity/],
    ['a strict role without a role', () => 'roleStrict: true', /roleStrict: .*"role"/],
    ['an unknown family', () => 'families: [ipx]', /families\[0\]: "ipx"/],
  ];
  for (const [title, options, message] of MISTAKES) {
    it(`refuses ${title}`, () => {
      assert.throws(() => parse(`address: 10.0.0.2, as: 65001, ${options()}`), message);
    });
  }

  it('refuses a link-local peer without interface, and an IPv6 peer twice', () => {
    assert.throws(() => parse("address: 'fe80::1', as: 65001"), /ADDRESS%INTERFACE/);
    const twice = "address: '2001:db8::1', as: 65001 }\n  - { address: '2001:DB8::0:1', as: 65001";
    assert.throws(() => parse(twice), /peers\[1\].address: .*also the address of peers\[0\]/);
  });

  it('report a changed password without its text', () => {
    const path = keyFile('old');
    const before = parse(`address: 10.0.0.2, as: 65001, passwordFile: ${path}`);
    writeFileSync(path, 'new');
    const { changed, needRestart } = changedKeys(
      before,
      parse(`address: 10.0.0.2, as: 65001, passwordFile: ${path}`),
    );
    assert.deepEqual([changed, needRestart], [['peers[10.0.0.2].transport.password'], []]);
  });
});
