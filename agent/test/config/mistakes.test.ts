import assert from 'node:assert/strict';
import { ConfigError, formatProblem } from '@flatroute/common/config/config.ts';
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

/** The errors of a text, one line each as shown to the user. */
function errorsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.exitCode, 2);
    return error.problems.map((problem) => formatProblem('agent.yaml', problem));
  }
  return [];
}

/** The good configuration with lines replaced or added: `lines` start at line `from`. */
function withLines(from: number, ...lines: string[]): string {
  const text = GOOD.trimEnd().split('\n');
  text.splice(from - 1, lines.length, ...lines);
  return `${text.join('\n')}\n`;
}

describe('mistakes in agent.yaml', () => {
  const cases: [title: string, text: string, error: string][] = [
    ['no own address', withLines(2, '# address'), '1:1: address: is missing (example: 10.0.0.1)'],
    [
      'a loopback address as its own',
      withLines(2, 'address: 127.0.0.1'),
      '2:10: address: "127.0.0.1" is a loopback address',
    ],
    [
      'a multicast address as its own',
      withLines(2, 'address: 224.0.0.5'),
      '2:10: address: "224.0.0.5" is a multicast',
    ],
    [
      '0.0.0.0 as its own address',
      withLines(2, 'address: 0.0.0.0'),
      '2:10: address: "0.0.0.0" is not a host address',
    ],
    [
      'an IPv6 address as its own',
      withLines(2, 'address: fd00::1'),
      '2:10: address: "fd00::1" is an IPv6 address, which is not supported here',
    ],
    ['no AS number', withLines(3, '# as'), '1:1: as: is missing; write'],
    ['AS 0', withLines(3, 'as: 0'), '3:5: as: 0 is reserved (RFC 7607)'],
    ['AS_TRANS', withLines(3, 'as: 23456'), '3:5: as: 23456 is AS_TRANS'],
    ['the last AS number', withLines(3, 'as: 4294967295'), '3:5: as: 4294967295 is reserved (RFC 7300)'],
    [
      'a router id of zero',
      withLines(1, 'routerId: 0.0.0.0'),
      '1:11: routerId: "0.0.0.0" is not a valid BGP identifier',
    ],
    ['a number as the node name', withLines(1, 'node: 1'), '1:7: node: 1 is not text; put it in quotes'],
    [
      'pod ranges that overlap',
      withLines(4, 'podCIDRs: [10.244.0.0/16, 10.244.1.0/26]'),
      '4:27: podCIDRs[1]: "10.244.1.0/26" overlaps 10.244.0.0/16 of podCIDRs[0]',
    ],
    [
      'a pod range with host bits',
      withLines(4, 'podCIDRs: [10.244.1.1/26]'),
      '4:12: podCIDRs[0]: "10.244.1.1/26" has host bits set; did you mean 10.244.1.0/26?',
    ],
    [
      'an IPv6 pod range',
      withLines(4, 'podCIDRs: ["fd00:1::/64"]'),
      '4:12: podCIDRs[0]: "fd00:1::/64" is an IPv6 prefix, which is not supported here',
    ],
    [
      'a pod range of one address',
      withLines(4, 'podCIDRs: [10.244.1.0/32]'),
      '4:12: podCIDRs[0]: "10.244.1.0/32" has only one address',
    ],
    [
      'a pod range that is too large',
      withLines(4, 'podCIDRs: [32.0.0.0/7]'),
      '4:12: podCIDRs[0]: "32.0.0.0/7" is too large for one node; use a length of 8 or more',
    ],
    [
      'a loopback pod range',
      withLines(4, 'podCIDRs: [127.0.0.0/24]'),
      '4:12: podCIDRs[0]: "127.0.0.0/24" contains addresses of 127.0.0.0/8, loopback',
    ],
    [
      'a pod range with the gateway of pods',
      withLines(4, 'podCIDRs: [169.254.1.0/24]'),
      '4:12: podCIDRs[0]: "169.254.1.0/24" contains addresses of 169.254.0.0/16, link-local, which contains the gateway address of all pods',
    ],
    [
      'a pod range of all addresses',
      withLines(4, 'podCIDRs: [0.0.0.0/0]'),
      '4:12: podCIDRs[0]: "0.0.0.0/0" contains addresses of 0.0.0.0/8, "this network" (RFC 1122)',
    ],
    [
      'a pod range with the own address',
      withLines(4, 'podCIDRs: [10.0.0.0/24]'),
      `4:12: podCIDRs[0]: "10.0.0.0/24" contains the node's own address 10.0.0.1`,
    ],
    ['a peer without AS number', withLines(6, '  - { address: 10.0.0.2 }'), '6:5: peers[0].as: is missing'],
    [
      'a peer twice',
      withLines(7, '  - { address: 10.0.0.2, as: 64512 }'),
      '7:16: peers[1].address: "10.0.0.2" is also the address of peers[0]',
    ],
    [
      'itself as a peer',
      withLines(6, '  - { address: 10.0.0.1, as: 64512 }'),
      `6:16: peers[0].address: "10.0.0.1" is this machine's own address`,
    ],
    [
      'a multicast peer',
      withLines(6, '  - { address: 239.0.0.1, as: 64512 }'),
      '6:16: peers[0].address: "239.0.0.1" is not a host address',
    ],
    [
      'a peer with address and range',
      withLines(6, '  - { address: 10.0.0.2, range: 10.2.0.0/24, as: 64512 }'),
      '6:33: peers[0].range: "10.2.0.0/24" cannot be combined with "address"',
    ],
    [
      'a peer with neither',
      withLines(6, '  - { as: 64512 }'),
      '6:5: peers[0]: a mapping has neither "address" nor "range"',
    ],
    [
      'ranges of peers that overlap',
      withLines(6, '  - { range: 10.1.2.0/24, as: 64512 }'),
      '8:14: peers[2].range: "10.1.0.0/16" overlaps 10.1.2.0/24 of peers[0]',
    ],
    [
      'two peers of one name',
      withLines(6, '  - { address: 10.0.0.2, as: 64512, name: rack2 }'),
      '8:44: peers[2].name: "rack2" is also the name of peers[0]',
    ],
    [
      'a hold time of 1',
      withLines(6, '  - { address: 10.0.0.2, as: 64512, holdTime: 1 }'),
      '6:47: peers[0].holdTime: 1 is not a valid hold time',
    ],
    [
      'a hold time of 2 for all',
      `${GOOD}bgp: { holdTime: 2 }\n`,
      '9:18: bgp.holdTime: 2 is not a valid hold time',
    ],
    [
      'a port for a range',
      withLines(6, '  - { range: 10.9.0.0/24, as: 64512, port: 1790 }'),
      '6:44: peers[0].port: 1790 applies to "address" only, because peers of a range connect to us',
    ],
    [
      'a range that connects',
      withLines(6, '  - { range: 10.9.0.0/24, as: 64512, passive: false }'),
      '6:47: peers[0].passive: false is not possible, because peers of a range connect to us',
    ],
    [
      'a number of peers for an address',
      withLines(6, '  - { address: 10.0.0.2, as: 64512, maximumPeers: 2 }'),
      '6:51: peers[0].maximumPeers: 2 applies to a range only',
    ],
    [
      'a policy that is not there',
      `${withLines(6, '  - { address: 10.0.0.2, as: 64512, import: tor }')}policies: { tor-in: { rules: [] } }\n`,
      '6:45: peers[0].import: "tor" is not a policy of this file; use one of tor-in',
    ],
    [
      'a policy with a name that means something else',
      withLines(9, 'policies: { own: { rules: [] } }'),
      '9:18: policies.own: a mapping has a reserved name: "export: own" has a meaning of its own; rename it',
    ],
    [
      'a policy with a name of two words',
      withLines(9, 'policies: { "tor in": { rules: [] } }'),
      '9:23: policies.tor in: a mapping has an invalid name',
    ],
    [
      'a rule without an action',
      withLines(9, 'policies: { tor-in: { rules: [{ match: { prefixes: [10.0.0.0/8] } }] } }'),
      '9:31: policies.tor-in.rules[0].action: is missing; use one of accept, reject, next',
    ],
    [
      'a prefix in a policy with bits beyond its length',
      withLines(9, 'prefixLists: { lab: [10.0.0.1/8 le 24] }'),
      '9:22: prefixLists.lab[0]: "10.0.0.1/8 le 24"',
    ],
    [
      'a list that is not there',
      withLines(9, 'policies: { in: { rules: [{ match: { prefixes: [lab] }, action: accept }] } }'),
      '9:49: policies.in.rules[0].match.prefixes[0]: "lab"',
    ],
    [
      'an AS path pattern that does not parse',
      withLines(9, 'asPathLists: { far: ["65001 ("] }'),
      '9:22: asPathLists.far[0]: "65001 ("',
    ],
    [
      'a community that is none',
      withLines(
        9,
        'policies: { in: { rules: [{ set: { communities: { add: ["1:2:3:4"] } }, action: accept }] } }',
      ),
      '9:57: policies.in.rules[0].set.communities.add[0]: "1:2:3:4"',
    ],
    [
      'a misspelt condition',
      withLines(9, 'policies: { in: { rules: [{ match: { prefix: [10.0.0.0/8] }, action: accept }] } }'),
      '9:38: policies.in.rules[0].match.prefix: unknown key; did you mean "prefixes"?',
    ],
    [
      'changes to a route that is rejected',
      withLines(9, 'policies: { in: { rules: [{ set: { med: 5 }, action: reject }] } }'),
      '9:34: policies.in.rules[0].set: a mapping changes a route that the rule rejects; remove it',
    ],
    [
      'an unknown export',
      withLines(6, '  - { address: 10.0.0.2, as: 64512, export: none }'),
      '6:45: peers[0].export: "none" is not a policy of this file; use one of own, all',
    ],
    [
      'a mistyped key of a peer',
      withLines(6, '  - { adress: 10.0.0.2, as: 64512 }'),
      '6:7: peers[0].adress: unknown key; did you mean "address"?',
    ],
    [
      'a mistyped key',
      withLines(4, 'podCIDR: [10.244.1.0/26]'),
      '4:1: podCIDR: unknown key; did you mean "podCIDRs"?',
    ],
    [
      'IP-in-IP',
      `${GOOD}encapsulation: { mode: ipip }\n`,
      '9:24: encapsulation.mode: "ipip" is not supported yet; use "none"',
    ],
    [
      'VXLAN',
      `${GOOD}encapsulation: { mode: vxlan }\n`,
      '9:24: encapsulation.mode: "vxlan" is not supported yet',
    ],
    [
      'an MTU that IPv4 cannot use',
      `${GOOD}pods: { mtu: 500 }\n`,
      '9:14: pods.mtu: 500 is out of range (576–65535)',
    ],
    [
      'the table of local addresses',
      `${GOOD}kernel: { table: 255 }\n`,
      '9:18: kernel.table: 255 is reserved by the kernel',
    ],
    [
      'an HTTP address that others can reach',
      `${GOOD}http: { listen: 0.0.0.0:9179 }\n`,
      '9:17: http.listen: "0.0.0.0:9179" is reachable from other machines, and the endpoint has no authentication',
    ],
    ['a relative path', `${GOOD}stateDir: state\n`, '9:11: stateDir: "state" is not an absolute path'],
    ['a socket path that is too long', `${GOOD}socket: /${'x'.repeat(107)}\n`, '9:9: socket: "/xxx'],
    [
      'one path for both sockets',
      `${GOOD}socket: /run/flatroute/cni.sock\n`,
      '9:9: socket: "/run/flatroute/cni.sock" is the path of both',
    ],
    [
      'a shutdown message that does not fit',
      `${GOOD}bgp: { shutdownMessage: ${'ä'.repeat(128)} }\n`,
      '9:25: bgp.shutdownMessage: "ää',
    ],
    [
      'more paths than a route can have',
      `${GOOD}bgp: { maximumPaths: 129 }\n`,
      '9:22: bgp.maximumPaths: 129 is out of range (1–128)',
    ],
    [
      'an unknown log level',
      `${GOOD}log: { level: verbose }\n`,
      '9:15: log.level: "verbose" is not a valid value',
    ],
    ['YAML that does not parse', `${GOOD}bgp: { listen: off\n`, '10:1: '],
  ];
  for (const [title, text, error] of cases) {
    it(`names file, line and key of ${title}`, () => {
      const errors = errorsOf(text);
      assert.ok(
        errors.some((line) => line.startsWith(`agent.yaml:${error}`)),
        `expected "${error}" among ${JSON.stringify(errors, null, 1)}`,
      );
      // One mistake is reported once.
      assert.equal(errors.length, 1, JSON.stringify(errors, null, 1));
    });
  }

  it('checks the rules between keys also when single values are wrong', () => {
    const text = withLines(2, 'address: 10.0.0.1', 'as: zero', 'podCIDRs: [10.0.0.0/24]');
    assert.deepEqual(
      errorsOf(text).map((line) => line.split(': ')[1]),
      ['as', 'podCIDRs[0]'],
    );
  });
});
