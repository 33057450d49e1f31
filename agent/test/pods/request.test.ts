import assert from 'node:assert/strict';
import { CniError, CODE, errorAnswer } from '../../pods/errors.ts';
import { type CniRequest, parseRequest, SUPPORTED_VERSIONS, versionForError } from '../../pods/request.ts';

const CONFIG = { cniVersion: '1.1.0', name: 'flatroute' };
const VARIABLES = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/p1',
  CNI_IFNAME: 'eth0',
};

function parse(variables: Record<string, string> = {}, config: object | string = {}): CniRequest {
  const text = typeof config === 'string' ? config : JSON.stringify({ ...CONFIG, ...config });
  const environment = new Map(Object.entries({ ...VARIABLES, ...variables }));
  return parseRequest({ environment, stdin: Buffer.from(text) });
}

function refuses(code: number, message: RegExp, ...request: Parameters<typeof parse>): void {
  assert.throws(
    () => parse(...request),
    (error: unknown) => {
      assert.ok(error instanceof CniError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(`${error.message} ${error.details}`, message);
      return true;
    },
  );
}

describe('pods: request', () => {
  it('has the fields of the environment and the configuration', () => {
    const { config, ...request } = parse({ CNI_ARGS: 'K8S_POD_NAME=p;K8S_POD_NAMESPACE=n;K8S_POD_UID=u' });
    assert.deepEqual(config, CONFIG);
    assert.deepEqual(request, {
      command: 'ADD',
      version: '1.1.0',
      containerId: 'c1',
      ifname: 'eth0',
      netns: '/run/netns/p1',
      network: 'flatroute',
      pod: { namespace: 'n', name: 'p', uid: 'u' },
    });
  });

  it('names the pod only if CNI_ARGS has valid names', () => {
    const pod = (args: string) => parse({ CNI_ARGS: args }).pod;
    assert.deepEqual(pod('X=1;K8S_POD_NAMESPACE=n;K8S_POD_NAME=p'), { namespace: 'n', name: 'p' });
    for (const args of [
      '',
      'K8S_POD_NAME=p',
      'K8S_POD_NAMESPACE=n',
      'K8S_POD_NAMESPACE=n;K8S_POD_NAME=',
      'K8S_POD_NAMESPACE=n;K8S_POD_NAME=p\x1b[31m',
      `K8S_POD_NAMESPACE=n;K8S_POD_NAME=${'p'.repeat(254)}`,
    ])
      assert.equal(pod(args), undefined, args);
  });

  it('has a container id of at most 255 characters', () => {
    const longest = 'c'.repeat(255);
    assert.equal(parse({ CNI_CONTAINERID: longest }).containerId, longest);
    refuses(CODE.INVALID_ENVIRONMENT, /CNI_CONTAINERID must/, { CNI_CONTAINERID: `${longest}c` });
    refuses(CODE.INVALID_ENVIRONMENT, /CNI_CONTAINERID must/, { CNI_CONTAINERID: '_c' });
  });

  it('has an interface name that the kernel accepts', () => {
    for (const name of ['a', 'e'.repeat(15), 'ü1', '...'])
      assert.equal(parse({ CNI_IFNAME: name }).ifname, name);
    for (const name of ['.', '..', 'e'.repeat(16), 'ü'.repeat(8), 'a/b', 'a:b', 'a b'])
      refuses(CODE.INVALID_ENVIRONMENT, /CNI_IFNAME must/, { CNI_IFNAME: name });
  });

  it('has an absolute path of a namespace, except for DEL', () => {
    const longest = `/${'n'.repeat(4094)}`;
    assert.equal(parse({ CNI_NETNS: longest }).netns, longest);
    refuses(CODE.INVALID_ENVIRONMENT, /CNI_NETNS must/, { CNI_NETNS: `${longest}n` });
    refuses(CODE.INVALID_ENVIRONMENT, /CNI_NETNS must/, { CNI_NETNS: 'run/netns/p1' });
    for (const netns of ['', 'relative'])
      assert.equal(parse({ CNI_COMMAND: 'DEL', CNI_NETNS: netns }).netns, netns);
  });

  it('has the variables that its command requires', () => {
    const without = (command: string, name: string) =>
      refuses(CODE.INVALID_ENVIRONMENT, new RegExp(`^${command} requires ${name} in the environment`), {
        CNI_COMMAND: command,
        [name]: '',
      });
    for (const name of ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME']) {
      without('ADD', name);
      without('CHECK', name);
      if (name !== 'CNI_NETNS') without('DEL', name);
    }
    const none = { CNI_CONTAINERID: '', CNI_NETNS: '', CNI_IFNAME: '' };
    for (const command of ['GC', 'STATUS'])
      assert.equal(parse({ ...none, CNI_COMMAND: command }).command, command);
    refuses(CODE.INVALID_ENVIRONMENT, /CNI_COMMAND is missing; the commands are ADD/, { CNI_COMMAND: '' });
    refuses(CODE.INVALID_ENVIRONMENT, /"constructor" is unknown/, { CNI_COMMAND: 'constructor' });
  });

  it('has a version that knows its command', () => {
    const since = { ADD: 0, DEL: 0, CHECK: 1, GC: 3, STATUS: 3 };
    for (const [command, first] of Object.entries(since)) {
      SUPPORTED_VERSIONS.forEach((cniVersion, index) => {
        const request: Parameters<typeof parse> = [{ CNI_COMMAND: command }, { cniVersion, prevResult: {} }];
        if (index >= first) assert.equal(parse(...request).version, cniVersion);
        else refuses(CODE.INCOMPATIBLE_VERSION, new RegExp(`${command} needs cniVersion`), ...request);
      });
    }
    refuses(CODE.INCOMPATIBLE_VERSION, /"0\.2\.0" is not supported/, {}, { cniVersion: '0.2.0' });
    refuses(CODE.INCOMPATIBLE_VERSION, /cniVersion is missing/, {}, { cniVersion: undefined });
  });

  it('of VERSION may have any version, any variables and no configuration', () => {
    const version = (config: object | string) =>
      parse({ CNI_COMMAND: 'VERSION', CNI_NETNS: 'dummy', CNI_IFNAME: '..' }, config);
    assert.deepEqual(version(' \n').config, { cniVersion: '1.1.0' });
    for (const cniVersion of SUPPORTED_VERSIONS)
      assert.equal(version({ cniVersion, name: undefined }).version, cniVersion);
    assert.equal(version({ cniVersion: '9.9.9' }).version, '1.1.0');
    assert.equal(version({}).containerId, '');
  });

  it('has a JSON object with a name and without another ipam plugin', () => {
    for (const text of ['', '{', '[]', 'null', '1']) refuses(CODE.DECODE_FAILURE, /JSON/, {}, text);
    for (const name of [undefined, 1, '', '-x', 'a b'])
      refuses(CODE.INVALID_CONFIG, /"name" must match/, {}, { name });
    refuses(CODE.UNSUPPORTED_FIELD, /ipam\.type "dhcp".*remove "ipam"/, {}, { ipam: { type: 'dhcp' } });
    for (const ipam of [undefined, {}, null, 'x']) assert.ok(parse({}, { ipam }));
  });

  it('has a well-formed prevResult, which CHECK needs', () => {
    const prevResult = { interfaces: [{}], ips: [], routes: undefined };
    assert.deepEqual(parse({}, { prevResult }).prevResult, { interfaces: [{}], ips: [] });
    assert.equal(parse({}, { prevResult: null }).prevResult, undefined);
    for (const value of ['x', 1, []])
      refuses(CODE.INVALID_CONFIG, /prevResult is not an object/, {}, { prevResult: value });
    for (const list of ['interfaces', 'ips', 'routes']) {
      for (const value of [1, {}, [1], [null], [{}, 'x']]) {
        const wrong = { prevResult: { [list]: value } };
        refuses(CODE.INVALID_CONFIG, new RegExp(`prevResult\\.${list} is not a list of objects`), {}, wrong);
      }
    }
    refuses(CODE.INVALID_CONFIG, /CHECK needs the result of ADD/, { CNI_COMMAND: 'CHECK' });
  });

  it('gives an error the version of the request, or a default', () => {
    const version = (stdin: string) => versionForError({ environment: new Map(), stdin: Buffer.from(stdin) });
    assert.equal(version('{"cniVersion":"0.3.1"}'), '0.3.1');
    assert.equal(version('{"cniVersion":"1234567890.12345"}'), '1234567890.12345');
    for (const text of [
      '{"cniVersion":"1234567890.123456"}',
      '{"cniVersion":1}',
      '{}',
      'null',
      '{',
      '{"cniVersion":"x"}',
    ])
      assert.equal(version(text), '1.0.0', text);
  });

  it('becomes an answer with exit code 1 when it fails', () => {
    const answer = (error: unknown, version?: string) => {
      const { exitCode, stdout } = errorAnswer(error, version);
      assert.equal(exitCode, 1);
      return JSON.parse(stdout);
    };
    assert.deepEqual(answer(new CniError(CODE.TRY_AGAIN_LATER, 'busy', 'why'), '0.4.0'), {
      cniVersion: '0.4.0',
      code: 11,
      msg: 'flatroute: busy',
      details: 'why',
    });
    assert.deepEqual(answer(new Error('oops')), { cniVersion: '1.0.0', code: 100, msg: 'flatroute: oops' });
    assert.equal(answer('text').msg, 'flatroute: text');
  });
});
