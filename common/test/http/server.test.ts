import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IPAddress, parseAddress } from 'bgp-js/ip';
import { ConfigError } from '../../config/config.ts';
import type { DryRunEndpoint } from '../../http/dry-run.ts';
import { pageFiles } from '../../http/page-files.ts';
import { isDirectHost, type StatusServer, startStatusServer } from '../../http/server.ts';
import type { StatusSource } from '../../http/source.ts';
import { createLogger } from '../../process/log.ts';
import { FakeSource } from './fake-source.ts';

const logged: string[] = [];
const log = createLogger({
  level: 'info',
  format: 'text',
  destination: { write: (line) => void logged.push(line) },
});

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

function ask(
  socketPath: string,
  path: string,
  options: { method?: string; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // node:http frames a body by itself for POST and PUT only.
    const headers = options.body === undefined ? {} : { 'Content-Length': options.body.length };
    const outgoing = request({ socketPath, path, method: options.method ?? 'GET', headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(options.body);
  });
}

const LOOPBACK = IPAddress.v4(0x7f000001);

describe('status server', () => {
  let folder: string;
  let path: string;
  const servers: StatusServer[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flatroute-status-'));
    path = join(folder, 'run', 'agent.sock');
    logged.length = 0;
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(source: StatusSource = new FakeSource(), more: object = {}): Promise<StatusServer> {
    const server = await startStatusServer({ source, socket: path, log, ...more });
    servers.push(server);
    return server;
  }

  it('answers every document of the source', async () => {
    await start();
    const source = new FakeSource();
    const json = async (url: string) => JSON.parse((await ask(path, url)).body);
    assert.equal((await json('/v1/status')).node, 'n1');
    const { peers, total, states } = await json('/v1/peers');
    assert.deepEqual(peers, source.peers());
    assert.equal(total, 6);
    assert.equal(
      Object.values<number>(states).reduce((sum, count) => sum + count),
      6,
    );
    assert.deepEqual(await json('/v1/pods'), { pods: source.pods() });
    assert.deepEqual(
      await json('/v1/explain?address=10.244.1.2'),
      source.explain(parseAddress('10.244.1.2')!),
    );
    const page = await json('/v1/routes?limit=2&offset=1');
    assert.deepEqual(page, source.routes({ match: 'exact', limit: 2, offset: 1 }));
    assert.equal((await json('/v1/routes?q=4200000002')).total, 1);
    assert.equal((await json('/v1/routes')).routes.length, 100);
    const metrics = await ask(path, '/metrics');
    assert.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(metrics.body, /^flatroute_peers 6$/m);
  });

  it('sends long lists completely', async () => {
    await start(new FakeSource({ peers: 1234, routes: 1500 }));
    assert.equal(JSON.parse((await ask(path, '/v1/peers')).body).peers.length, 1234);
    assert.equal(JSON.parse((await ask(path, '/v1/routes?limit=1000')).body).routes.length, 1000);
    await start(new FakeSource({ peers: 0 }), { socket: join(folder, 'empty.sock') });
    assert.deepEqual(JSON.parse((await ask(join(folder, 'empty.sock'), '/v1/peers')).body), {
      peers: [],
      total: 0,
      states: {},
    });
  });

  for (const count of [0, 1, 99, 100, 101, 200, 201]) {
    it(`sends a list of ${count} completely, and ends its last page where the list ends`, async () => {
      const source = new FakeSource({ peers: count });
      await start(source);
      const get = async (query: string) => JSON.parse((await ask(path, `/v1/peers${query}`)).body);
      assert.deepEqual((await get('')).peers, source.peers());
      if (count === 0) return;
      const last = await get(`?offset=${count - 1}&limit=1`);
      assert.deepEqual([last.peers.length, last.total], [1, count]);
      assert.deepEqual((await get(`?offset=${count}&limit=1`)).peers, []);
      assert.equal((await get(`?limit=${count}`)).peers.length, count);
      assert.equal((await get(`?offset=${count - 1}`)).peers.length, 1);
    });
  }

  it('selects, sorts and pages a thousand peers', async () => {
    await start(new FakeSource({ peers: 1000 }));
    const get = async (query: string) => JSON.parse((await ask(path, `/v1/peers?${query}`)).body);
    const down = await get('state=down&sort=state');
    assert.equal(down.peers.length, 13);
    assert.equal(down.total, 13);
    assert.equal(down.states.Established, 987, 'the summary is of all');
    const page = await get('q=n99&sort=name&limit=5&offset=3');
    assert.deepEqual(
      page.peers.map(({ name }: { name: string }) => name),
      ['n992', 'n993', 'n994', 'n995', 'n996'],
    );
    assert.equal(page.total, 11);
    assert.equal((await get('q=established%20n99')).total, 11, 'every word counts');
  });

  it('finds the longest match of an address, an exact prefix, and more specific ones', async () => {
    await start();
    const prefixes = async (query: string) => {
      const { routes } = JSON.parse((await ask(path, `/v1/routes?${query}`)).body);
      return routes.map((route: { prefix: string }) => route.prefix);
    };
    assert.deepEqual(await prefixes('prefix=10.244.2.7&longest=1'), ['10.244.2.0/26']);
    assert.deepEqual(await prefixes('prefix=10.244.2.0/26'), ['10.244.2.0/26']);
    assert.deepEqual(await prefixes('prefix=10.244.2.7'), []);
    assert.deepEqual(await prefixes('prefix=10.244.2.0/24&moreSpecifics=true'), ['10.244.2.0/26']);
    assert.deepEqual(await prefixes('prefix=10.244.2.0/24&moreSpecifics=false'), []);
  });

  const refusals: [url: string, status: number, error: RegExp][] = [
    ['/v1/routes?prefix=10.244.2.1/26', 400, /did you mean 10\.244\.2\.0\/26/],
    [
      '/v1/routes?prefix=nonsense',
      400,
      /"nonsense" is neither an address nor a prefix \(example: 10.244.1.0\/26\)/,
    ],
    ['/v1/routes?longest=1', 400, /needs prefix/],
    ['/v1/routes?moreSpecifics=true', 400, /moreSpecifics needs prefix/],
    ['/v1/routes?prefix=10.0.0.0/8&longest=1&moreSpecifics=1', 400, /exclude each other/],
    ['/v1/routes?prefix=2001:db8::1/32', 400, /did you mean 2001:db8::\/32/],
    ['/v1/routes?limit=1001', 400, /limit must be a whole number of 1–1000/],
    ['/v1/routes?limit=1e3', 400, /limit/],
    ['/v1/routes?offset=-1', 400, /offset/],
    ['/v1/routes?limit=1&limit=2', 400, /twice/],
    ['/v1/routes?prefx=10.0.0.0/8', 400, /unknown parameter "prefx"/],
    ['/v1/routes?__proto__=1', 400, /unknown parameter/],
    [`/v1/routes?q=${'x'.repeat(65)}`, 400, /longer than 64/],
    ['/v1/peers?state=tired', 400, /state must be one of up, down/],
    ['/v1/peers?sort=size', 400, /sort must be one of state, name/],
    ['/v1/peers?limit=0', 400, /limit/],
    ['/v1/explain', 400, /address is missing/],
    ['/v1/explain?address=10.244.1.2/26', 400, /is not an IP address/],
    ['/v1/nothing', 404, /not found/],
    ['/../../etc/passwd', 404, /not found/],
    ['//', 400, /path is not valid/],
  ];
  for (const [url, status, error] of refusals) {
    it(`answers ${url.slice(0, 50)} with ${status}`, async () => {
      await start();
      const answer = await ask(path, url);
      assert.equal(answer.status, status, answer.body);
      assert.match(JSON.parse(answer.body).error, error);
      assert.deepEqual(logged, []);
    });
  }

  it('is read only', async () => {
    await start();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await ask(path, '/v1/status', { method, body: method === 'OPTIONS' ? undefined : 'x' });
      assert.equal(answer.status, 405, method);
      assert.equal(answer.headers.allow, 'GET, HEAD');
    }
    assert.equal((await ask(path, '/v1/status', { body: 'x' })).status, 400);
    const head = await ask(path, '/v1/status', { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
  });

  describe('a dry run', () => {
    const seen: string[] = [];
    const plan: DryRunEndpoint = async (text, file) => {
      seen.push(`${file}: ${text}`);
      if (text === 'bad')
        throw new ConfigError(file, [{ line: 3, column: 7, key: 'as', message: '0 is reserved' }]);
      return { changed: [], needRestart: [], peers: [] };
    };
    const post = (body: string | Buffer, url = '/v1/plan?file=new.yaml') =>
      ask(path, url, { method: 'POST', body });
    beforeEach(() => start(new FakeSource(), { plan, http: { address: LOOPBACK, port: 0 } }));

    it('gets the text and its name, and answers with the plan', async () => {
      const { status, body } = await post('as: 64512\n');
      assert.deepEqual([status, JSON.parse(body)], [200, { changed: [], needRestart: [], peers: [] }]);
      assert.equal(seen.at(-1), 'new.yaml: as: 64512\n');
      await post('as: 1', '/v1/plan');
      assert.equal(seen.at(-1), 'the configuration: as: 1');
    });

    it('answers 400 with the problems of an invalid configuration', async () => {
      const { status, body } = await post('bad');
      assert.deepEqual([status, JSON.parse(body).error], [400, 'new.yaml:3:7: as: 0 is reserved']);
    });

    it('rejects what is no UTF-8 or too large, and any other method', async () => {
      const binary = await post(Buffer.from([0x61, 0xff]));
      assert.deepEqual(
        [binary.status, JSON.parse(binary.body).error],
        [400, 'the configuration is not UTF-8 text'],
      );
      assert.equal((await post(' '.repeat(1024 * 1024))).status, 200);
      assert.equal((await post(' '.repeat(1024 * 1024 + 1))).status, 413);
      assert.equal((await ask(path, '/v1/plan')).status, 405);
    });

    it('is for the Unix socket alone', async () => {
      const { http } = servers[0];
      const url = `http://127.0.0.1:${http!.port}/v1/plan`;
      assert.equal((await fetch(url, { method: 'POST', body: 'as: 1' })).status, 405);
    });
  });

  it('has no dry run without one to serve', async () => {
    await start();
    assert.equal((await ask(path, '/v1/plan', { method: 'POST', body: 'as: 1' })).status, 404);
  });

  it('says that a reflector has no pods and cannot explain addresses', async () => {
    const full = new FakeSource();
    const reflector: StatusSource = {
      status: () => full.status(),
      peers: () => full.peers(),
      policies: () => full.policies(),
      routes: (query) => full.routes(query),
      metrics: () => full.metrics(),
      ready: () => full.ready(),
    };
    await start(reflector);
    assert.equal((await ask(path, '/v1/pods')).status, 404);
    assert.match((await ask(path, '/v1/explain?address=10.0.0.1')).body, /ask the agent of a node/);
  });

  it('is healthy while it answers, and ready when the source is', async () => {
    const source = new FakeSource();
    await start(source);
    assert.equal((await ask(path, '/readyz')).status, 200);
    source.isReady = false;
    const unready = await ask(path, '/readyz');
    assert.equal(unready.status, 503);
    assert.deepEqual(JSON.parse(unready.body).reasons, ['the kernel is not reconciled yet']);
    assert.equal((await ask(path, '/healthz')).status, 200);
  });

  it('answers 500 without details and logs them when the source fails, and 503 when it hangs', async () => {
    const source = new FakeSource();
    source.status = () => {
      throw new Error('secret detail');
    };
    source.metrics = () => new Promise(() => {});
    await start(source, { answerTimeoutMs: 50 });
    const failed = await ask(path, '/v1/status');
    assert.equal(failed.status, 500);
    assert.doesNotMatch(failed.body, /secret/);
    assert.match(logged.join(''), /secret detail/);
    assert.equal((await ask(path, '/metrics')).status, 503);
    assert.equal((await ask(path, '/healthz')).status, 200);
  });

  it('sends a page without external resources, and a policy that forbids them', async () => {
    await start();
    const page = await ask(path, '/');
    assert.match(
      String(page.headers['content-security-policy']),
      /default-src 'none'.*frame-ancestors 'none'/,
    );
    assert.equal(page.headers['x-content-type-options'], 'nosniff');
    const references = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
    assert.ok(references.length >= 3);
    for (const script of ['/page.js', '/table.js', '/views.js']) {
      for (const [, name] of String(pageFiles.get(script)?.content).matchAll(/from '\.(\/[^']+)'/g))
        references.push(name);
    }
    for (const reference of references) assert.equal((await ask(path, reference)).status, 200, reference);
    const text = [...pageFiles.values()].map((file) => String(file.content)).join('');
    assert.doesNotMatch(text.replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\//);
    assert.doesNotMatch(text, /innerHTML|\sstyle="|\son[a-z]+="/);
  });

  it('creates a socket that only its owner can open, and removes it', async () => {
    const server = await start();
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(join(folder, 'run'))).mode & 0o777, 0o700);
    await server.close();
    await assert.rejects(stat(path), { code: 'ENOENT' });
  });

  it('replaces the socket of a process that has ended, but not that of a running one, nor a file', async () => {
    // libuv removes the name that it bound. Under another name the socket stays, as after a crash.
    const stale = createServer();
    stale.listen({ path: join(folder, 'real.sock') });
    await once(stale, 'listening');
    await start();
    await assert.rejects(start(), /agent\.sock belongs to a running process; stop that one/);
    assert.equal((await ask(path, '/healthz')).status, 200);
    await rename(join(folder, 'real.sock'), join(folder, 'stale.sock'));
    stale.close();
    await once(stale, 'close');
    assert.ok((await stat(join(folder, 'stale.sock'))).isSocket());
    await start(new FakeSource(), { socket: join(folder, 'stale.sock') });
    assert.equal((await ask(join(folder, 'stale.sock'), '/healthz')).status, 200);
    await writeFile(join(folder, 'file'), 'precious');
    await assert.rejects(
      start(new FakeSource(), { socket: join(folder, 'file') }),
      /is not a socket; remove it/,
    );
    await symlink(join(folder, 'file'), join(folder, 'link'));
    await assert.rejects(start(new FakeSource(), { socket: join(folder, 'link') }), /is not a socket/);
  });

  it('answers on TCP by address and as localhost, and refuses other names', async () => {
    const { http } = await start(new FakeSource(), { http: { address: LOOPBACK, port: 0 } });
    assert.ok(http);
    const status = async (host: string) => {
      const socket: Socket = connect(http.port, http.address.toString());
      socket.end(`GET /v1/status HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      let text = '';
      for await (const chunk of socket) text += chunk;
      return Number(text.split(' ')[1]);
    };
    assert.equal(await status(`127.0.0.1:${http.port}`), 200);
    assert.equal(await status(`localhost:${http.port}`), 200);
    assert.equal(await status('rebound.example:9179'), 403);
    assert.equal(await status('127.0.0.1.example'), 403);
    assert.equal(await status(''), 403);
    await assert.rejects(
      startStatusServer({ source: new FakeSource(), http, log }),
      /the address is in use; configure another http\.listen/,
    );
  });

  it('distinguishes addresses from names in the Host header', () => {
    for (const host of ['10.0.0.1', '10.0.0.1:9179', '[::1]:9179', 'localhost'])
      assert.ok(isDirectHost(host), host);
    for (const host of [undefined, '', 'a.b', '10.0.0.1.b', '[x]', '10.0.0.1:', 'localhost.b']) {
      assert.ok(!isDirectHost(host), String(host));
    }
  });

  it('rejects endless headers', async () => {
    await start();
    const socket = connect(path);
    socket.on('error', () => {});
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(20_000)}`);
    let text = '';
    for await (const chunk of socket) text += chunk;
    assert.match(text, /^HTTP\/1\.1 431 /);
    assert.equal((await ask(path, '/healthz')).status, 200);
  });
});
