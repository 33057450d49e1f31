import assert from 'node:assert/strict';
import { ConfigError, formatProblem } from '@flatroute/common/config/config.ts';
import { formatEndpoint } from '@flatroute/common/config/values.ts';
import { changedKeys, parseReflectorConfig } from '../../config/load.ts';

const GOOD = `node: rr1
as: 64512
routerId: 10.0.0.10
listen: 10.0.0.10:179
clients:
  - { range: 10.0.0.0/16, as: 64512 }
  - { address: 10.9.0.1, as: 65001, name: edge }
`;

const parse = (text: string) => parseReflectorConfig(text, 'reflector.yaml');

/** Settings with their addresses and prefixes as text. */
const plain = (settings: object) => JSON.parse(JSON.stringify(settings));

function errorsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map((problem) => formatProblem('reflector.yaml', problem));
  }
  return [];
}

describe('reflector.yaml', () => {
  it('becomes settings with every default filled in', () => {
    const common = {
      clientToClient: true,
      port: 179,
      holdTimeSeconds: 90,
      connectRetrySeconds: 5,
      maximumPrefixes: 2_000_000,
      maximumPeers: 5000,
      importPolicy: null,
      exportPolicy: null,
      requirePolicy: true,
    };
    assert.deepEqual(plain(parse(GOOD)), {
      node: 'rr1',
      as: 64512,
      routerId: '10.0.0.10',
      clusterId: '10.0.0.10',
      listen: [{ address: '10.0.0.10', port: 179 }],
      clients: [
        { ...common, name: '10.0.0.0/16', range: '10.0.0.0/16', as: 64512, client: true, passive: true },
        { ...common, name: 'edge', address: '10.9.0.1', as: 65001, client: false, passive: false },
      ],
      policies: { prefixLists: {}, asPathLists: {}, communityLists: {}, policies: {} },
      bgp: { shutdownMessage: 'flatroute reflector stopped', congestionControl: null },
      socket: '/run/flatroute/reflector.sock',
      http: { address: '127.0.0.1', port: 9179 },
      log: { level: 'info', format: 'auto' },
    });
  });

  const cases: [title: string, text: string, error: string][] = [
    ['no router id', GOOD.replace('routerId', '#'), '1:1: routerId: is missing'],
    [
      'a cluster id of zero',
      `${GOOD}clusterId: 0.0.0.0\n`,
      '8:12: clusterId: "0.0.0.0" is not a valid BGP identifier',
    ],
    [
      'a policy that is not there',
      GOOD.replace('name: edge', 'import: edge-in'),
      '7:45: clients[1].import: "edge-in" is not a policy of this file; add it under "policies"',
    ],
    [
      'an IPv6 client that reaches no endpoint',
      GOOD.replace('10.0.0.0/16', '2001:db8::/64'),
      '6:14: clients[0].range: "2001:db8::/64" can never connect: "listen" has only 10.0.0.10:179; ' +
        'add to "listen" an IPv6 endpoint',
    ],
    ['an address without a port', GOOD.replace(':179', ''), '4:9: listen: "10.0.0.10" is not ADDRESS:PORT'],
    [
      'no clients',
      `${GOOD.split('clients')[0]}clients: []\n`,
      '5:10: clients: a list has no entries; add at least one',
    ],
    ['no list of clients', GOOD.split('clients')[0], '1:1: clients: is missing; add at least one'],
    [
      'a client of another AS',
      GOOD.replace('name: edge', 'client: true'),
      '7:45: clients[1].client: true is not possible for a peer in AS 65001',
    ],
    [
      'itself as a client',
      GOOD.replace('10.9.0.1', '10.0.0.10'),
      `7:16: clients[1].address: "10.0.0.10" is this machine's own address`,
    ],
    [
      'ranges that overlap',
      GOOD.replace('address: 10.9.0.1', 'range: 10.0.9.0/24'),
      '7:14: clients[1].range: "10.0.9.0/24" overlaps 10.0.0.0/16',
    ],
    ['a key of the agent', `${GOOD}podCIDRs: []\n`, '8:1: podCIDRs: unknown key; the keys here are'],
    [
      'a key that is nearly right',
      `${GOOD}clusterID: 1.1.1.1\n`,
      '8:1: clusterID: unknown key; did you mean "clusterId"?',
    ],
    ['a hold time of 2', `${GOOD}bgp: { holdTime: 2 }\n`, '8:18: bgp.holdTime: 2 is not a valid hold time'],
    [
      'an open HTTP address',
      `${GOOD}http: { listen: 10.0.0.10:80 }\n`,
      '8:17: http.listen: "10.0.0.10:80" is reachable from other',
    ],
  ];
  for (const [title, text, error] of cases) {
    it(`names file, line and key of ${title}`, () => {
      const errors = errorsOf(text);
      assert.equal(errors.length, 1, JSON.stringify(errors, null, 1));
      assert.ok(errors[0].startsWith(`reflector.yaml:${error}`), errors[0]);
    });
  }

  it('listens on all addresses of both families by default', () => {
    const text = GOOD.replace('listen', '#').replace('10.9.0.1', '2001:db8::1');
    const endpoints = parse(text).listen.map(formatEndpoint);
    assert.deepEqual(endpoints, ['0.0.0.0:179', '[::]:179']);
    assert.deepEqual(errorsOf(`${text}  - { range: 2001:db8:1::/64, as: 64512 }\n`), []);
  });

  it('says what a reload changes, and what needs a restart', () => {
    const text = `${GOOD.replace('65001', '65002').replace(':179', ':180')}clusterId: 10.0.0.11\nlog: { level: debug }\nbgp: { congestionControl: reno }\n`;
    assert.deepEqual(changedKeys(parse(GOOD), parse(text)), {
      changed: ['clusterId', 'listen', 'clients[10.9.0.1].as', 'bgp.congestionControl', 'log.level'],
      needRestart: ['clusterId', 'listen', 'bgp.congestionControl'],
    });
  });
});
