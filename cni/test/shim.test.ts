import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPlugin } from '../build.ts';
import { DEFAULT_CNI_SOCKET, installPlugin, PLUGIN_BINARY } from '../install.ts';
import {
  BODY_MAX,
  ENVIRONMENT_MAX,
  encodeAnswer,
  encodeRequest,
  HEADER_LENGTH,
  type PluginRequest,
  RequestReader,
} from '../protocol.ts';

interface Run {
  code: number | null;
  stdout: string;
}

function exec(
  binary: string,
  environment: Record<string, string>,
  stdin: string | null = '{}',
): Promise<Run> {
  const child = spawn(binary, [], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stdin.on('error', () => {}); // the plugin may end without reading
  if (stdin !== null) child.stdin.end(stdin);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      child.stdin.destroy();
      resolve({ code, stdout });
    });
  });
}

describe('cni shim', () => {
  let folder: string;
  let socket: string;
  let server: Server | undefined;
  let requests: PluginRequest[];

  /** Listens on the socket and calls `behave` with each connection once its request is complete. */
  const serve = (behave: (connection: Socket, request: PluginRequest) => void): Promise<void> => {
    server = createServer((connection) => {
      const reader = new RequestReader();
      connection.on('error', () => {});
      connection.on('data', (chunk) => {
        const request = reader.push(chunk);
        if (request === undefined) return;
        requests.push(request);
        behave(connection, request);
      });
    });
    return new Promise((resolve) => server?.listen(socket, resolve));
  };
  const run = (environment: Record<string, string> = {}, stdin: string | null = '{}'): Promise<Run> =>
    exec(PLUGIN_BINARY, { FLATROUTE_CNI_SOCKET: socket, ...environment }, stdin);
  const error = (result: Run): { code: number; msg: string; details: string; cniVersion: string } => {
    assert.equal(result.code, 1);
    return JSON.parse(result.stdout);
  };

  before(() => buildPlugin());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flatroute-shim-'));
    socket = join(folder, 'cni.sock');
    requests = [];
  });

  afterEach(async () => {
    if (server) await new Promise((resolve) => server?.close(resolve));
    server = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  it('forwards only the CNI_ variables and stdin, and prints the answer', async () => {
    await serve((connection) => connection.end(encodeAnswer({ exitCode: 0, stdout: '{"ok":"ü"}\n' })));
    const result = await run(
      { CNI_COMMAND: 'ADD', CNI_ARGS: 'a=b;\nc="d"', PATH: '/bin', XCNI_A: '1' },
      '{"x":"ü"}',
    );
    assert.deepEqual([result.code, result.stdout], [0, '{"ok":"ü"}\n']);
    assert.deepEqual(Object.fromEntries(requests[0].environment), {
      CNI_COMMAND: 'ADD',
      CNI_ARGS: 'a=b;\nc="d"',
    });
    assert.equal(requests[0].stdin.toString(), '{"x":"ü"}');
  });

  it('exits with the code in the answer', async () => {
    await serve((connection) => connection.end(encodeAnswer({ exitCode: 77, stdout: '' })));
    const result = await run();
    assert.deepEqual([result.code, result.stdout], [77, '']);
  });

  it('forwards the largest request and answer, in pieces', async () => {
    const body = 'x'.repeat(BODY_MAX);
    await serve((connection) => {
      const bytes = encodeAnswer({ exitCode: 0, stdout: body });
      connection.write(bytes.subarray(0, 5));
      setImmediate(() => connection.end(bytes.subarray(5)));
    });
    const result = await run({ CNI_ARGS: 'a'.repeat(100_000) }, body);
    assert.equal(result.code, 0);
    assert.ok(result.stdout === body);
    assert.ok(requests[0].stdin.toString() === body);
  });

  it('refuses a request that is too large with error 5', async () => {
    await serve((connection) => connection.destroy());
    assert.match(error(await run({}, 'x'.repeat(BODY_MAX + 1))).msg, /larger than 1 MiB/);
    const variables = Object.fromEntries([1, 2, 3].map((n) => [`CNI_${n}`, 'x'.repeat(100_000)]));
    const failed = error(await run(variables));
    assert.equal(failed.code, 5);
    assert.match(failed.msg, /larger than 256 KiB/);
    assert.equal(requests.length, 0);
  });

  it('reports error 11 if no agent listens', async () => {
    const missing = await run();
    assert.equal(error(missing).code, 11);
    assert.ok(error(missing).details.includes(socket));
    // A socket that a killed agent left behind.
    await serve((connection) => connection.destroy());
    const child = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(`${socket}2`)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]);
    await new Promise((resolve) => child.on('exit', resolve));
    assert.ok(statSync(`${socket}2`).isSocket());
    const stale = await run({ FLATROUTE_CNI_SOCKET: `${socket}2` });
    assert.equal(error(stale).code, 11);
  });

  it('reports error 11 if the agent dies before its answer or within it', async () => {
    const answer = encodeAnswer({ exitCode: 0, stdout: '{"cniVersion":"1.0.0"}' });
    let cut = 0;
    await serve((connection) => connection.write(answer.subarray(0, cut), () => connection.destroy()));
    for (cut of [0, 3, HEADER_LENGTH, HEADER_LENGTH + 1, answer.length - 1]) {
      const result = await run();
      assert.equal(error(result).code, 11, `cut at ${cut}`);
      assert.match(error(result).msg, /closed the connection/);
    }
  });

  it('refuses answers of another protocol and with invalid lengths', async () => {
    const answers = [
      Buffer.from('HTTP/1.1 400 Bad'),
      encodeAnswer({ exitCode: 0, stdout: '' }),
      encodeAnswer({ exitCode: 0, stdout: '' }),
    ];
    answers[1].writeUInt32BE(BODY_MAX + 1, 8);
    answers[2].writeUInt32BE(256, 4);
    await serve((connection) => connection.end(answers[requests.length - 1]));
    for (const _ of answers) {
      const failed = error(await run());
      assert.equal(failed.code, 5);
      assert.match(failed.msg, /not an agent of this version/);
    }
  });

  it('prints valid JSON for any path of the socket', async () => {
    const odd = join(folder, 'a"b\\c\n\x01\xff%s');
    assert.ok(error(await run({ FLATROUTE_CNI_SOCKET: odd })).details.includes('a"b\\c\n\x01'));
    const long = `/${'"'.repeat(106)}`;
    assert.ok(error(await run({ FLATROUTE_CNI_SOCKET: long })).details.includes(long));
    assert.match(error(await run({ FLATROUTE_CNI_SOCKET: `${long}x` })).msg, /too long/);
  });

  it('gives up if its standard input does not end', async () => {
    await serve((connection) => connection.destroy());
    const failed = error(await run({}, null));
    assert.equal(failed.code, 5);
    assert.match(failed.msg, /standard input/);
  });

  describe('source', () => {
    const source = readFileSync(new URL('../shim.c', import.meta.url), 'utf8');
    const defined = (name: string): string | undefined =>
      new RegExp(`^#define ${name} (\\([^)]*\\)|"[^"]*"|\\d+)`, 'm').exec(source)?.[1];
    const number = (name: string): number => {
      const factors = defined(name)?.match(/\d+/g) ?? [];
      assert.ok(factors.length > 0, `shim.c does not define ${name}`);
      return factors.reduce((product, factor) => product * Number(factor), 1);
    };

    it('has the limits, the magics and the default socket of the agent', () => {
      assert.equal(number('ENVIRONMENT_MAX'), ENVIRONMENT_MAX);
      assert.equal(number('BODY_MAX'), BODY_MAX);
      assert.equal(number('HEADER_LENGTH'), HEADER_LENGTH);
      const magic = (bytes: Buffer) => `"${bytes.toString('latin1', 0, 4)}"`;
      assert.equal(defined('REQUEST_MAGIC'), magic(encodeRequest([], Buffer.alloc(0))));
      assert.equal(defined('ANSWER_MAGIC'), magic(encodeAnswer({ exitCode: 0, stdout: '' })));
      assert.equal(defined('DEFAULT_SOCKET'), `"${DEFAULT_CNI_SOCKET}"`);
      for (const [limit, name] of [
        [ENVIRONMENT_MAX / 1024, 'KiB'],
        [BODY_MAX / 1024 / 1024, 'MiB'],
      ])
        assert.ok(source.includes(`is larger than ${limit} ${name}`), 'an error names another limit');
    });

    it('has lines of at most 110 columns', () => {
      assert.deepEqual(
        source.split('\n').filter((line) => line.length > 110),
        [],
      );
    });
  });

  describe('installed', () => {
    it('fails without changing anything if the plugin is not built', async () => {
      const binary = join(folder, 'build', 'flatroute');
      const options = { binDir: join(folder, 'bin'), confDir: join(folder, 'net.d'), socket, binary };
      await assert.rejects(
        installPlugin(options),
        new RegExp(`the CNI plugin ${binary} is missing; run "npm run build plugin"`),
      );
      assert.deepEqual(readdirSync(folder), []);
    });

    it('is copied, not built, also if its source is newer', async () => {
      const binary = join(folder, 'flatroute');
      writeFileSync(binary, 'an old plugin');
      utimesSync(binary, 1, 1);
      const options = { binDir: join(folder, 'bin'), confDir: join(folder, 'net.d'), binary };
      const [plugin] = await installPlugin(options);
      assert.equal(readFileSync(plugin, 'utf8'), 'an old plugin');
      assert.equal(readFileSync(binary, 'utf8'), 'an old plugin');
    });

    it('finds the socket by the file beside it, unless the environment names one', async () => {
      await serve((connection) => connection.end(encodeAnswer({ exitCode: 3, stdout: '' })));
      const options = { binDir: join(folder, 'bin'), confDir: join(folder, 'net.d'), socket };
      const written = await installPlugin(options);
      const plugin = join(folder, 'bin', 'flatroute');
      assert.deepEqual(written, [`${plugin}.socket`, plugin, join(folder, 'net.d', '10-flatroute.conflist')]);
      assert.deepEqual(
        written.map((file) => statSync(file).mode & 0o777),
        [0o644, 0o755, 0o644],
      );
      assert.equal((await exec(plugin, {})).code, 3);
      assert.equal(error(await exec(plugin, { FLATROUTE_CNI_SOCKET: join(folder, 'none') })).code, 11);
      writeFileSync(`${plugin}.socket`, '');
      assert.equal(error(await exec(plugin, {})).code, 5);
      writeFileSync(`${plugin}.socket`, 'x'.repeat(200));
      assert.equal(error(await exec(plugin, {})).code, 5);
      // With the default socket the file is removed, and no other file is left.
      await installPlugin({ ...options, socket: undefined });
      assert.deepEqual(readdirSync(join(folder, 'bin')), ['flatroute']);
      assert.deepEqual(readdirSync(join(folder, 'net.d')), ['10-flatroute.conflist']);
      await assert.rejects(installPlugin({ ...options, socket: 'cni.sock' }), /absolute path/);
      await assert.rejects(installPlugin({ ...options, socket: `/${'x'.repeat(107)}` }), /at most 107/);
      await assert.rejects(installPlugin({ ...options, socket: '/a\nb' }), /absolute path/);
      const longest = `/${'x'.repeat(106)}`;
      await installPlugin({ ...options, socket: longest });
      assert.equal(readFileSync(`${plugin}.socket`, 'utf8'), `${longest}\n`);
    });

    it('has a network configuration that older runtimes read too', async () => {
      await installPlugin({ binDir: folder, confDir: folder });
      const conflist = JSON.parse(readFileSync(join(folder, '10-flatroute.conflist'), 'utf8'));
      assert.equal(conflist.cniVersion, '1.0.0');
      assert.deepEqual(conflist.plugins, [{ type: 'flatroute' }]);
    });

    it('is built again only if its source is newer', async () => {
      const before = statSync(PLUGIN_BINARY).mtimeMs;
      await buildPlugin();
      assert.equal(statSync(PLUGIN_BINARY).mtimeMs, before);
      utimesSync(PLUGIN_BINARY, 1, 1);
      await Promise.all([buildPlugin(), buildPlugin()]);
      assert.ok(statSync(PLUGIN_BINARY).mtimeMs > 1000);
    });
  });
});
