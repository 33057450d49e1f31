import assert from 'node:assert/strict';
import * as z from 'zod';
import { ConfigError, type ConfigFormat, formatProblem, parseConfig } from '../../config/config.ts';
import { checkListen, endpoints, endpointsOrOff } from '../../config/listen.ts';
import * as value from '../../config/values.ts';

const schema = value.section({
  listen: z.optional(endpointsOrOff),
  peers: value.list(
    value.section({
      address: z.optional(value.anyHostAddress),
      range: z.optional(value.anyPrefix),
      passive: z.optional(value.flag),
    }),
  ),
});
const DEFAULT = [value.parseEndpoint('0.0.0.0:179')!];
const format: ConfigFormat<z.output<typeof schema>, z.output<typeof schema>> = {
  schema,
  check: (content, report) =>
    checkListen(content, { path: ['listen'], byDefault: DEFAULT, list: 'peers' }, report),
  settings: (config) => config,
};

const listenOf = (written: string) =>
  parseConfig(`listen: ${written}\n`, 'f.yaml', format).listen?.map(value.formatEndpoint);

function errorsOf(text: string): string[] {
  try {
    parseConfig(text, 'f.yaml', format);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map((problem) => formatProblem('f.yaml', problem));
  }
  return [];
}

describe('listen', () => {
  it('accepts one endpoint, a list of endpoints, or off', () => {
    assert.deepEqual(listenOf('10.0.0.1:179'), ['10.0.0.1:179']);
    assert.deepEqual(listenOf('"[::]:179"'), ['[::]:179']);
    assert.deepEqual(listenOf('[10.0.0.1:179, "[2001:db8::1]:1790"]'), [
      '10.0.0.1:179',
      '[2001:db8::1]:1790',
    ]);
    assert.deepEqual(listenOf('off'), []);
    assert.deepEqual(endpointsOrOff.parse(false), []);
    assert.equal(endpoints.safeParse('off').success, false, 'a daemon that must listen');
    assert.equal(endpoints.safeParse('10.0.0.1:179').success, true);
  });

  const mistakes: [text: string, error: string][] = [
    ['listen: 10.0.0.1', '1:9: listen: "10.0.0.1" is neither ADDRESS:PORT nor off (example: 10.0.0.1:179'],
    ['listen: []', '1:9: listen: a list has no entries'],
    ['listen: [10.0.0.1:179, here]', '1:24: listen[1]: "here" is neither ADDRESS:PORT nor off'],
    ['listen: "[fe80::1%eth0]:179"', '1:9: listen: "[fe80::1%eth0]:179" is link-local; use "[::]:179"'],
    ['listen: [10.0.0.1:179, 10.0.0.1:179]', '1:24: listen[1]: "10.0.0.1:179" is covered by 10.0.0.1:179'],
    ['listen: ["[::1]:179", "[::]:179"]', '1:23: listen[1]: "[::]:179" is covered by [::1]:179'],
  ];
  for (const [text, error] of mistakes) {
    it(`refuses ${text}`, () => {
      const errors = errorsOf(`${text}\n`);
      assert.equal(errors.length, 1, errors.join('\n'));
      assert.ok(errors[0].startsWith(`f.yaml:${error}`), errors[0]);
    });
  }

  const unreachable: [listen: string, peer: string, error: string][] = [
    [
      '10.0.0.1:179',
      '{ range: 2001:db8::/64 }',
      'peers[0].range: "2001:db8::/64" can never connect: "listen" has only 10.0.0.1:179; ' +
        'add to "listen" an IPv6 endpoint that it can reach, such as "[::]:179"',
    ],
    [
      '"[2001:db8::1]:179"',
      '{ address: 10.0.0.2, passive: true }',
      'peers[0].address: "10.0.0.2" can never connect: "listen" has only [2001:db8::1]:179; ' +
        'add to "listen" an IPv4 endpoint that it can reach, such as 0.0.0.0:179',
    ],
    [
      '["[::]:179", 127.0.0.1:179]',
      '{ range: 10.0.0.0/24 }',
      'peers[0].range: "10.0.0.0/24" can never connect: "listen" has only [::]:179, 127.0.0.1:179; ' +
        'add to "listen" an IPv4 endpoint that it can reach, such as 0.0.0.0:179',
    ],
    [
      'off',
      '{ range: 10.0.0.0/24 }',
      'peers[0].range: "10.0.0.0/24" can never connect: "listen" is off; ' +
        'set "listen" to an IPv4 endpoint that it can reach, such as 0.0.0.0:179',
    ],
  ];
  for (const [listen, peer, error] of unreachable) {
    it(`refuses the peer ${peer} with listen: ${listen}`, () => {
      const column = peer.includes('range') ? 14 : 16;
      assert.deepEqual(errorsOf(`listen: ${listen}\npeers:\n  - ${peer}\n`), [
        `f.yaml:3:${column}: ${error}`,
      ]);
    });
  }

  it('accepts peers that can connect, and peers to which this side connects', () => {
    const reachable: [listen: string, peer: string][] = [
      ['"[::]:179"', '{ range: 10.0.0.0/24 }'],
      ['["[::]:179", 0.0.0.0:180]', '{ range: 10.0.0.0/24 }'],
      ['["[2001:db8::1]:179", 10.0.0.1:179]', '{ range: 2001:db8::/64 }'],
      ['"[::]:179"', '{ range: fe80::/10 }'],
      ['127.20.0.1:179', '{ range: 127.20.0.0/16 }'],
      ['10.0.0.1:179', '{ address: 2001:db8::2 }'],
      ['off', '{ address: 10.0.0.2 }'],
    ];
    for (const [listen, peer] of reachable)
      assert.deepEqual(errorsOf(`listen: ${listen}\npeers:\n  - ${peer}\n`), [], `${listen} ${peer}`);
  });

  it('checks peers against the default if the key is missing', () => {
    assert.deepEqual(errorsOf('peers: [{ range: 10.0.0.0/24 }]\n'), []);
    assert.match(errorsOf('peers: [{ range: 2001:db8::/64 }]\n')[0], /"listen" has only 0\.0\.0\.0:179/);
  });
});
