import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as z from 'zod';
import {
  ConfigError,
  type ConfigFormat,
  closest,
  formatProblem,
  loadConfig,
  parseConfig,
} from '../../config/config.ts';
import * as value from '../../config/values.ts';
import { formatEndpoint, parseEndpoint } from '../../config/values.ts';

const schema = value.section({
  name: value.text(16),
  as: z.optional(value.asNumber),
  range: z.optional(value.ipv4Prefix),
  listen: z.optional(value.httpEndpoint),
  rest: value.duration(1, 3600).default(60),
  inner: value.optionalSection({ port: value.port.default(179), deep: z.optional(value.flag) }),
  list: value.list(value.section({ address: value.anyHostAddress })),
});
const format: ConfigFormat<z.output<typeof schema>, z.output<typeof schema>> = {
  schema,
  check: (content, report) => {
    if ((content as { name?: unknown }).name === 'forbidden')
      report(['name'], 'is forbidden; choose another');
  },
  settings: (config) => config,
};

/** The problems of a text, as they are printed. */
function errorsOf(text: string): string[] {
  try {
    parseConfig(text, 'f.yaml', format);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.exitCode, 2);
    return error.problems.map((problem) => formatProblem('f.yaml', problem));
  }
  return [];
}

describe('configuration files', () => {
  it('fills in defaults, also for missing and empty sections and lists', () => {
    const expected = { name: 'a', rest: 60, inner: { port: 179 }, list: [] };
    assert.deepEqual(parseConfig('name: a', 'f.yaml', format), expected);
    assert.deepEqual(parseConfig('name: a\ninner:\nlist:\n', 'f.yaml', format), expected);
  });

  it('reports all problems together, in the order of the file', () => {
    const text =
      'name: ""\nas: 0\nrange: 10.0.0.1/24\ninner: { port: 0, dep: true }\nlist:\n  - address: 10.0.0.256\n';
    const lines = errorsOf(text).map((line) => line.split(': ').slice(0, 2).join(' '));
    assert.deepEqual(lines, [
      'f.yaml:1:7 name',
      'f.yaml:2:5 as',
      'f.yaml:3:8 range',
      'f.yaml:4:16 inner.port',
      'f.yaml:4:19 inner.dep',
      'f.yaml:6:14 list[0].address',
    ]);
  });

  const cases: [title: string, text: string, error: string][] = [
    ['an empty file', '# nothing\n', 'f.yaml:1:1: the file is empty; its keys are name, as, range'],
    ['a file that is no mapping', '- a\n', 'f.yaml:1:1: a list is not a mapping; write "key: value"'],
    [
      'an open quote',
      'name: "a\n',
      'f.yaml:2:1: invalid YAML: Missing closing "quote; check this line and the one above',
    ],
    [
      'no space after a colon',
      'name: a\nas:64512\nlist: []\n',
      'f.yaml:2:1: invalid YAML: missing space after the colon in "as:64512"?',
    ],
    [
      'no space after the last colon',
      'name: a\ninner:\n  deep: true\n  port:179\n',
      'f.yaml:4:3: invalid YAML: missing space after the colon in "port:179"?',
    ],
    [
      'no space after a colon within braces',
      'name: a\ninner: { port:179 }\n',
      'f.yaml:2:10: inner.port:179: unknown key; missing space after the colon?',
    ],
    ['a key given twice', 'name: a\nname: b\n', 'f.yaml:2:1: name: duplicate key; keep one of the two'],
    [
      'a nested key given twice',
      'name: a\ninner:\n  port: 1\n  port: 2\n',
      'f.yaml:4:3: inner.port: duplicate key',
    ],
    [
      'a tab as indentation',
      'name: a\ninner:\n\tport: 1\n',
      'f.yaml:3:1: invalid YAML: a tab in the indentation',
    ],
    ['a bracket that is not closed', 'name: a\nlist: [\n', 'f.yaml:3:1: '],
    ['two documents', 'name: a\n---\nname: b\n', 'f.yaml:2:1: a second document starts here ("---")'],
    ['a missing key', 'as: 1\n', 'f.yaml:1:1: name: is missing'],
    ['a key without a value', 'name: a\nas:\n', 'f.yaml:2:4: as: an empty value is not an AS number'],
    ['a key that is nearly right', 'nmae: a\n', 'f.yaml:1:1: nmae: unknown key; did you mean "name"?'],
    [
      'a key of another place',
      'name: a\nport: 1\n',
      'f.yaml:2:1: port: unknown key; did you mean "inner.port"?',
    ],
    [
      'a key like nothing known',
      'name: a\nzzzzz: 1\n',
      'f.yaml:2:1: zzzzz: unknown key; the keys here are name',
    ],
    ['the key __proto__', 'name: a\n__proto__: { x: 1 }\n', 'f.yaml:2:1: __proto__: unknown key'],
    ['text where a mapping belongs', 'name: a\ninner: 1\n', 'f.yaml:2:8: inner: 1 is not a mapping'],
    ['a mapping where a list belongs', 'name: a\nlist: {}\n', 'f.yaml:2:7: list: a mapping is not a list'],
    ['a number where text belongs', 'name: 7\n', 'f.yaml:1:7: name: 7 is not text; put it in quotes'],
    [
      'text with control characters',
      'name: "a\\e[31m"\n',
      'f.yaml:1:7: name: "a\\u001b[31m" contains control characters',
    ],
    [
      'text that is too long',
      `name: ${'x'.repeat(17)}\n`,
      'f.yaml:1:7: name: "xxxxxxxxxxxxxxxxx" is 17 bytes long',
    ],
    [
      'an AS number in dotted form',
      'name: a\nas: 1.10\n',
      'f.yaml:2:5: as: 1.10 is an AS number in dotted notation',
    ],
    [
      'a dotted AS number below 1',
      'name: a\nas: 0.1\n',
      'f.yaml:2:5: as: 0.1 is an AS number in dotted notation',
    ],
    [
      'an AS number in quotes',
      'name: a\nas: "64512"\n',
      'f.yaml:2:5: as: "64512" is text; write the AS number without',
    ],
    [
      'an AS number that is too large',
      'name: a\nas: 4294967296\n',
      'f.yaml:2:5: as: 4294967296 is not an AS number',
    ],
    [
      'host bits',
      'name: a\nrange: 10.1.2.3/16\n',
      'f.yaml:2:8: range: "10.1.2.3/16" has host bits set; did you mean 10.1.0.0/16?',
    ],
    [
      'a range without a length',
      'name: a\nrange: 10.0.0.0\n',
      'f.yaml:2:8: range: "10.0.0.0" is an address without a prefix length',
    ],
    [
      'a length beyond 32',
      'name: a\nrange: 10.0.0.0/33\n',
      'f.yaml:2:8: range: "10.0.0.0/33" is not an IPv4 prefix',
    ],
    [
      'an IPv6 range',
      'name: a\nrange: fd00::/64\n',
      'f.yaml:2:8: range: "fd00::/64" is an IPv6 prefix, which is not supported here',
    ],
    [
      'an address with leading zeros',
      'name: a\nlist: [{ address: 010.0.0.1 }]\n',
      'f.yaml:2:19: list[0].address: "010.0.0.1" is not an IPv4',
    ],
    [
      'a range where an address belongs',
      'name: a\nlist: [{ address: 10.0.0.1/24 }]\n',
      'f.yaml:2:19: list[0].address: "10.0.0.1/24" is a prefix, not an address; remove "/24"',
    ],
    [
      'a port out of bounds',
      'name: a\ninner: { port: 65536 }\n',
      'f.yaml:2:16: inner.port: 65536 is out of range (1–65535)',
    ],
    [
      'an endpoint without a port',
      'name: a\nlisten: 127.0.0.1\n',
      'f.yaml:2:9: listen: "127.0.0.1" is neither ADDRESS:PORT nor off',
    ],
    [
      'a duration with an unknown unit',
      'name: a\nrest: 500ms\n',
      'f.yaml:2:7: rest: "500ms" is not a duration',
    ],
    [
      'a duration out of bounds',
      'name: a\nrest: 2h\n',
      'f.yaml:2:7: rest: "2h" is out of range (1–3600 seconds)',
    ],
    [
      'a flag in quotes',
      'name: a\ninner: { deep: "true" }\n',
      'f.yaml:2:16: inner.deep: "true" is not a boolean',
    ],
    [
      'a broken rule between keys',
      'name: forbidden\n',
      'f.yaml:1:7: name: "forbidden" is forbidden; choose another',
    ],
  ];
  for (const [title, text, error] of cases) {
    it(`reports ${title}`, () => {
      const errors = errorsOf(text);
      assert.ok(
        errors.some((line) => line.startsWith(error)),
        `expected "${error}" among ${JSON.stringify(errors, null, 1)}`,
      );
    });
  }

  it('rejects a text whose aliases would expand without bound', () => {
    const layers = Array.from({ length: 12 }, (_, index) => {
      return `k${index + 1}: &a${index + 1} [${Array(9).fill(`*a${index}`).join(', ')}]`;
    });
    const errors = errorsOf(`k0: &a0 [x]\n${layers.join('\n')}\n`);
    assert.match(errors[0], /write the values out without aliases/);
  });

  it('reads durations with units, and an endpoint or off', () => {
    const parsed = parseConfig('name: a\nrest: 5m\nlisten: 10.0.0.1:179\n', 'f.yaml', format);
    assert.equal(parsed.rest, 300);
    assert.deepEqual(parsed.listen && formatEndpoint(parsed.listen), '10.0.0.1:179');
    assert.equal(parseConfig('name: a\nlisten: off\n', 'f.yaml', format).listen, null);
  });

  it('parses and formats endpoints of both families', () => {
    for (const text of ['10.0.0.1:179', '[::1]:9179', '[2001:db8::1]:65535', '0.0.0.0:1'])
      assert.equal(formatEndpoint(parseEndpoint(text)!), text);
    for (const text of [
      '10.0.0.1',
      '10.0.0.1:0',
      '10.0.0.1:65536',
      '::1:179',
      '[10.0.0.1]',
      '[]:1',
      'a:1',
      179,
    ])
      assert.equal(parseEndpoint(text), undefined, String(text));
  });

  it('turns any text into settings or into errors at a place in it', () => {
    const word = fc.constantFrom(
      'name',
      'as',
      ':',
      ' ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a',
      '*a',
      '"',
      '\t',
      '7',
      '|',
      '?',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
        ),
        (text) => {
          for (const line of errorsOf(text)) assert.match(line, /^f\.yaml:[1-9]\d*:[1-9]\d*: /);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('reading configuration files', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flatroute-config-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const failure = async (path: string) => {
    const error = await loadConfig(path, format).then(
      () => assert.fail('it was read'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  };

  it('reads a file', async () => {
    const path = join(folder, 'f.yaml');
    await writeFile(path, 'name: ä\n');
    assert.equal((await loadConfig(path, format)).name, 'ä');
  });

  it('reports a file that is missing, a folder, not UTF-8, or too large', async () => {
    const path = join(folder, 'f.yaml');
    assert.match(await failure(path), /f\.yaml: does not exist; give the path of the file with --config$/);
    assert.match(await failure(folder), /is not a file/);
    await writeFile(path, Buffer.from([0x6e, 0xff, 0xfe]));
    assert.match(await failure(path), /is not UTF-8 text/);
    await writeFile(path, Buffer.alloc(1024 * 1024 + 1, 0x20));
    assert.match(await failure(path), /is larger than/);
  });

  it('reports a file that is not readable', async () => {
    const path = join(folder, 'f.yaml');
    await writeFile(path, 'name: a\n');
    await chmod(path, 0);
    const uid = process.getuid?.();
    if (uid === 0) {
      await chmod(folder, 0o755);
      process.seteuid?.(65534);
    }
    try {
      assert.match(await failure(path), /is not readable by this user/);
    } finally {
      if (uid === 0) process.seteuid?.(0);
    }
  });
});

describe('did you mean', () => {
  it('finds swapped, missing and doubled letters, and suggests nothing for other words', () => {
    const keys = ['address', 'range', 'as', 'holdTime', 'maximumPrefixes'];
    assert.equal(closest('adress', keys), 'address');
    assert.equal(closest('holdtime', keys), 'holdTime');
    assert.equal(closest('hold_time', keys), 'holdTime');
    assert.equal(closest('maxPrefixes', keys), 'maximumPrefixes');
    assert.equal(closest('rnage', keys), 'range');
    assert.equal(closest('password', keys), undefined);
    assert.equal(closest('ab', keys), undefined);
  });
});
