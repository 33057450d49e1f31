import assert from 'node:assert/strict';
import { formatEndpoint } from '@flatroute/common/config/values.ts';
import { parseAgentConfig } from '../../config/load.ts';

const GOOD = `node: n1
address: 10.0.0.1
as: 64512
podCIDRs: [10.244.1.0/26]
peers:
  - { address: 10.0.0.2, as: 64512 }
  - { address: 10.0.0.254, as: 65001 }
  - { range: 10.1.0.0/16, as: 64512, name: rack2 }
`;

const parse = (text: string) => parseAgentConfig(text, 'agent.yaml');

/** Settings with their addresses and prefixes as text. */
const plain = (settings: object) => JSON.parse(JSON.stringify(settings));

/** The good configuration with lines replaced or added: `lines` start at line `from`. */
function withLines(from: number, ...lines: string[]): string {
  const text = GOOD.trimEnd().split('\n');
  text.splice(from - 1, lines.length, ...lines);
  return `${text.join('\n')}\n`;
}

describe('agent.yaml', () => {
  it('prepends once unless a policy says how many times', () => {
    const { policies } = parse(
      `${GOOD}policies: { far: { rules: [{ set: { prepend: {} }, action: accept }] } }\n`,
    );
    assert.deepEqual(policies.policies?.far.rules[0].set?.prepend, { times: 1 });
  });

  it('becomes settings with all defaults', () => {
    assert.deepEqual(plain(parse(GOOD)), {
      node: 'n1',
      address: '10.0.0.1',
      as: 64512,
      routerId: '10.0.0.1',
      podCIDRs: ['10.244.1.0/26'],
      peers: [
        {
          name: '10.0.0.2',
          address: '10.0.0.2',
          as: 64512,
          port: 179,
          passive: false,
          holdTimeSeconds: 90,
          connectRetrySeconds: 5,
          maximumPrefixes: 300_000,
          acceptDefault: false,
          export: 'all',
          importPolicy: null,
          exportPolicy: null,
          maximumPeers: 256,
        },
        {
          name: '10.0.0.254',
          address: '10.0.0.254',
          as: 65001,
          port: 179,
          passive: false,
          holdTimeSeconds: 90,
          connectRetrySeconds: 5,
          maximumPrefixes: 300_000,
          acceptDefault: false,
          export: 'own',
          importPolicy: null,
          exportPolicy: null,
          maximumPeers: 256,
        },
        {
          name: 'rack2',
          range: '10.1.0.0/16',
          as: 64512,
          port: 179,
          passive: true,
          holdTimeSeconds: 90,
          connectRetrySeconds: 5,
          maximumPrefixes: 300_000,
          acceptDefault: false,
          export: 'all',
          importPolicy: null,
          exportPolicy: null,
          maximumPeers: 256,
        },
      ],
      policies: { prefixLists: {}, asPathLists: {}, communityLists: {}, policies: {} },
      bgp: {
        listen: [{ address: '10.0.0.1', port: 179 }],
        maximumPaths: 16,
        shutdownMessage: 'flatroute agent stopped',
      },
      encapsulation: { mode: 'none', scope: 'always' },
      pods: { mtu: null, quarantineSeconds: 60 },
      kernel: { table: 254, reconcileSeconds: 30, staleSeconds: 120 },
      stateDir: '/var/lib/flatroute',
      socket: '/run/flatroute/agent.sock',
      cniSocket: '/run/flatroute/cni.sock',
      http: { address: '127.0.0.1', port: 9179 },
      log: { level: 'info', format: 'auto' },
    });
  });

  it('reads every key', () => {
    const settings = parse(`${GOOD}
routerId: 192.0.2.1
bgp: { listen: [10.0.0.1:1179, "[::]:1179"], holdTime: 9, connectRetry: 1, maximumPrefixes: 10, maximumPaths: 1, shutdownMessage: bye }
encapsulation: { mode: none, scope: crossSubnet }
pods: { mtu: 1400, quarantine: 2m }
kernel: { table: 100, reconcile: 1m, staleTime: 0 }
stateDir: /tmp/state
socket: /tmp/a.sock
cni: { socket: /tmp/c.sock }
http: { listen: 0.0.0.0:80, allowRemote: true }
log: { level: debug, format: json }
`);
    assert.equal(settings.routerId.toString(), '192.0.2.1');
    assert.deepEqual(settings.bgp.listen.map(formatEndpoint), ['10.0.0.1:1179', '[::]:1179']);
    assert.deepEqual([settings.bgp.maximumPaths, settings.bgp.shutdownMessage], [1, 'bye']);
    const [peer] = settings.peers;
    assert.deepEqual([peer.holdTimeSeconds, peer.connectRetrySeconds, peer.maximumPrefixes], [9, 1, 10]);
    assert.equal(settings.encapsulation.scope, 'crossSubnet');
    assert.deepEqual(settings.pods, { mtu: 1400, quarantineSeconds: 120 });
    assert.deepEqual(settings.kernel, { table: 100, reconcileSeconds: 60, staleSeconds: 0 });
    assert.equal(settings.cniSocket, '/tmp/c.sock');
    assert.deepEqual(plain(settings.http!), { address: '0.0.0.0', port: 80 });
    assert.deepEqual(settings.log, { level: 'debug', format: 'json' });
    assert.equal(parse(`${GOOD}http: { listen: off }\n`).http, null);
  });

  it('allows a peer to differ from the defaults and to be inside a range', () => {
    const text = withLines(
      6,
      '  - { address: 10.1.0.7, as: 64513, port: 1790, passive: true, holdTime: 0, connectRetry: 30s, maximumPrefixes: 5, acceptDefault: true, export: all, name: x }',
    );
    const [peer] = parse(text).peers;
    assert.deepEqual(plain(peer), {
      name: 'x',
      address: '10.1.0.7',
      as: 64513,
      port: 1790,
      passive: true,
      holdTimeSeconds: 0,
      connectRetrySeconds: 30,
      maximumPrefixes: 5,
      acceptDefault: true,
      export: 'all',
      importPolicy: null,
      exportPolicy: null,
      maximumPeers: 256,
    });
  });
});
