import assert from 'node:assert/strict';
import { linkSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BODY_MAX,
  decodeAnswer,
  ENVIRONMENT_MAX,
  encodeRequest,
  HEADER_LENGTH,
  type PluginRequest,
} from '@flatroute/cni/protocol.ts';
import { CniServer, DEFAULT_LIMITS, type Handler, type ServerLimits } from '../../pods/server.ts';
import { eventually } from './node.ts';

describe('pods: server', () => {
  let folder: string;
  let path: string;
  let server: CniServer;
  let clients: Socket[];
  let seen: PluginRequest[];

  const ok: Handler = async (request) => {
    seen.push(request);
    return { exitCode: 0, stdout: 'ok' };
  };
  const serve = (handler: Handler = ok, limits: Partial<ServerLimits> = {}): Promise<void> => {
    server = new CniServer(path, handler, { ...DEFAULT_LIMITS, ...limits });
    return server.listen();
  };
  const open = (): Socket => {
    const client = connect(path);
    client.on('error', () => {});
    clients.push(client);
    return client;
  };
  /** All bytes until the connection ends. */
  const everything = (client: Socket): Promise<Buffer> =>
    new Promise((resolve) => {
      const chunks: Buffer[] = [];
      client.on('data', (chunk) => chunks.push(chunk));
      client.on('close', () => resolve(Buffer.concat(chunks)));
    });
  const say = (client: Socket, bytes: Uint8Array): Promise<Buffer> => {
    client.write(bytes);
    return everything(client);
  };
  const refusal = (bytes: Buffer): { code: number; msg: string; details?: string } => {
    const { exitCode, stdout } = decodeAnswer(bytes);
    assert.equal(exitCode, 1);
    return JSON.parse(stdout);
  };
  const request = encodeRequest([['CNI_COMMAND', 'VERSION']], Buffer.from('{}'));
  const header = (environment: number, stdin: number): Buffer => {
    const bytes = Buffer.from(request.subarray(0, HEADER_LENGTH));
    bytes.writeUInt32BE(environment, 4);
    bytes.writeUInt32BE(stdin, 8);
    return bytes;
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flatroute-server-'));
    path = join(folder, 'cni.sock');
    clients = [];
    seen = [];
  });

  afterEach(async () => {
    for (const client of clients) client.destroy();
    try {
      await server?.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('answers, also clients that close their side first, and removes its socket at the end', async () => {
    await serve();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(decodeAnswer(await say(open(), request)).stdout, 'ok');
    const client = open();
    client.end(request);
    assert.equal(decodeAnswer(await everything(client)).stdout, 'ok');
    await server.close();
    assert.throws(() => statSync(path), /ENOENT/);
  });

  it('answers a client that closed its side while the request was executed', async () => {
    await serve(async (plugin) => {
      seen.push(plugin);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      return { exitCode: 0, stdout: 'late' };
    });
    const client = open();
    client.end(request);
    assert.equal(decodeAnswer(await everything(client)).stdout, 'late');
    assert.equal(seen.length, 1);
  });

  it('survives a client that leaves before its answer', async () => {
    let finish = (): void => {};
    await serve(async (plugin) => {
      seen.push(plugin);
      if (seen.length === 1)
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      return { exitCode: 0, stdout: 'ok' };
    });
    const client = open();
    client.write(request);
    await eventually('the request is executed', () => seen.length === 1);
    client.destroy();
    await new Promise((resolve) => client.once('close', resolve));
    finish();
    assert.equal(decodeAnswer(await say(open(), request)).stdout, 'ok');
  });

  it('answers malformed frames with an error and keeps working', async () => {
    await serve();
    const hostile: Buffer[] = [
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      header(0xffffffff, 0xffffffff),
      header(ENVIRONMENT_MAX + 1, 0),
      header(0, BODY_MAX + 1),
      Buffer.concat([header(4, 0), Buffer.from('abcd')]),
      Buffer.concat([request, Buffer.from('more')]),
      Buffer.alloc(100_000, 0xff),
    ];
    for (const bytes of hostile) assert.equal(refusal(await say(open(), bytes)).code, 6);
    assert.equal(seen.length, 0);
    assert.equal(decodeAnswer(await say(open(), request)).stdout, 'ok');
  });

  it('closes the connection of a client that sends too slowly or ends within its request', async () => {
    await serve(ok, { transferMs: 50 });
    const slow = open();
    slow.write(request.subarray(0, HEADER_LENGTH + 3));
    const failed = refusal(await everything(slow));
    assert.deepEqual([failed.code, /within 50 ms/.test(failed.msg)], [5, true]);
    const silent = refusal(await everything(open()));
    assert.equal(silent.code, 5);
    const short = open();
    short.end(request.subarray(0, 20));
    assert.equal((await everything(short)).length, 0);
    assert.equal(seen.length, 0);
  });

  it('closes the connection of a client that does not read its answer', async () => {
    const large: Handler = async (plugin) => {
      seen.push(plugin);
      return { exitCode: 0, stdout: 'x'.repeat(BODY_MAX) };
    };
    await serve(large, { transferMs: 50 });
    const lazy = open();
    lazy.pause();
    lazy.write(request);
    await eventually('the request is there', () => seen.length === 1);
    // close waits for the client and fulfils only because the server gives up after transferMs.
    await server.close();
    assert.ok((await everything(lazy.resume())).length < BODY_MAX);
  });

  it('limits connections and bytes of requests', async () => {
    await serve(ok, { connections: 2, bytes: 3000 });
    const [first, second] = [open(), open()];
    first.write(header(0, 2000));
    second.write(header(0, 100));
    await Promise.all(
      [first, second].map((client) => new Promise((resolve) => client.once('connect', resolve))),
    );
    const third = refusal(await say(open(), request));
    assert.deepEqual([third.code, third.details], [11, '2 other requests are in progress']);
    second.destroy();
    await eventually('a place is free', async () => {
      const answer = await say(open(), header(0, 1500));
      const { details } = refusal(answer);
      assert.ok(/in progress|memory limit/.test(details!));
      return details!.includes('memory limit');
    });
    first.destroy();
    await eventually(
      'the bytes are free',
      async () => decodeAnswer(await say(open(), request)).exitCode === 0,
    );
  });

  it('limits the requests that run at once', async () => {
    let running = 0;
    let most = 0;
    let open4 = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open4 = resolve;
    });
    await serve(
      async (plugin) => {
        seen.push(plugin);
        running++;
        most = Math.max(most, running);
        if (running === 4) open4();
        await gate;
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return { exitCode: 0, stdout: '' };
      },
      { concurrent: 4 },
    );
    const answers = await Promise.all(Array.from({ length: 40 }, () => say(open(), request)));
    assert.ok(answers.every((bytes) => decodeAnswer(bytes).exitCode === 0));
    assert.deepEqual([most, seen.length], [4, 40]);
  });

  it('close waits for complete requests and drops incomplete ones', async () => {
    let finish = (): void => {};
    await serve(async (plugin) => {
      seen.push(plugin);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return { exitCode: 0, stdout: 'late' };
    });
    const answer = say(open(), request);
    const half = say(open(), request.subarray(0, 15));
    await eventually('the request is there', () => seen.length === 1);
    let closed = false;
    const closing = server.close().then(() => {
      closed = true;
    });
    assert.equal((await half).length, 0);
    assert.equal(closed, false);
    finish();
    assert.equal(decodeAnswer(await answer).stdout, 'late');
    await closing;
  });

  it('replaces a stale socket, but not that of a running process', async () => {
    // A listener that is closed without removing this name leaves a socket like that of a killed process.
    const former = createServer();
    await new Promise<void>((resolve) => former.listen(`${path}.former`, resolve));
    linkSync(`${path}.former`, path);
    await new Promise((resolve) => former.close(resolve));
    assert.ok(statSync(path).isSocket());
    await serve();
    assert.equal(decodeAnswer(await say(open(), request)).stdout, 'ok');
    const second = new CniServer(path, ok);
    await assert.rejects(second.listen(), /belongs to a running process/);
    await second.close();
    assert.equal(decodeAnswer(await say(open(), request)).stdout, 'ok');
  });

  it('accepts a path of 107 bytes and refuses a longer one', async () => {
    path = join(folder, 'x'.repeat(107 - folder.length - 1));
    await serve();
    assert.equal(decodeAnswer(await say(open(), request)).stdout, 'ok');
    await assert.rejects(new CniServer(`${path}x`, ok).listen(), /cni\.socket: .* is longer than 107 bytes/);
  });
});
