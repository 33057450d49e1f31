import assert from 'node:assert/strict';
import { changedKeys, parseAgentConfig } from '../../config/load.ts';

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

describe('changedKeys of the agent', () => {
  const before = parse(GOOD);

  it('finds no change between equal files', () => {
    assert.deepEqual(changedKeys(before, parse(`# a comment\n${GOOD}`)), { changed: [], needRestart: [] });
  });

  it('names changed, added and removed peers by their address, in any order', () => {
    const text = GOOD.replace('10.0.0.2, as: 64512', '10.0.0.3, as: 64512').replace(
      '65001 }',
      '65001, holdTime: 30 }',
    );
    const lines = text.trimEnd().split('\n');
    const swapped = [...lines.slice(0, 5), lines[7], lines[6], lines[5]].join('\n');
    assert.deepEqual(changedKeys(before, parse(swapped)), {
      changed: ['peers[10.0.0.2]', 'peers[10.0.0.254].holdTime', 'peers[10.0.0.3]'],
      needRestart: [],
    });
  });

  it('applies pod ranges, paths, times and the log level without a restart', () => {
    const after = parse(
      `${GOOD.replace('1.0/26', '2.0/26')}bgp: { maximumPaths: 1 }\nkernel: { staleTime: 1, reconcile: 2 }\npods: { quarantine: 3 }\nlog: { level: warn }\n`,
    );
    assert.deepEqual(changedKeys(before, after), {
      changed: [
        'podCIDRs',
        'bgp.maximumPaths',
        'pods.quarantine',
        'kernel.reconcile',
        'kernel.staleTime',
        'log.level',
      ],
      needRestart: [],
    });
  });

  const fixed: [key: string, text: string][] = [
    ['node', GOOD.replace('n1', 'n9')],
    ['address', GOOD.replace('10.0.0.1\n', '10.0.0.9\n')],
    ['as', GOOD.replace('as: 64512\n', 'as: 64999\n')],
    ['routerId', `${GOOD}routerId: 1.1.1.1\n`],
    ['bgp.listen', `${GOOD}bgp: { listen: [10.0.0.1:179, "[fd00::1]:179"] }\n`],
    ['bgp.listen', `${GOOD}bgp: { listen: 10.0.0.1:1790 }\n`],
    ['encapsulation.scope', `${GOOD}encapsulation: { scope: crossSubnet }\n`],
    ['kernel.table', `${GOOD}kernel: { table: 7 }\n`],
    ['stateDir', `${GOOD}stateDir: /x\n`],
    ['socket', `${GOOD}socket: /x\n`],
    ['cni.socket', `${GOOD}cni: { socket: /x }\n`],
    ['http.listen', `${GOOD}http: { listen: off }\n`],
    ['http.listen.port', `${GOOD}http: { listen: 127.0.0.1:1 }\n`],
    ['log.format', `${GOOD}log: { format: json }\n`],
  ];
  for (const [key, text] of fixed) {
    it(`reports that ${key} needs a restart`, () => {
      const { needRestart } = changedKeys(before, parse(text));
      assert.ok(needRestart.includes(key), JSON.stringify(needRestart));
    });
  }
});
