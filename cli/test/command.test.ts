import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PlanView } from '@flatroute/common/http/api-documents.ts';
import { type StatusServer, startStatusServer } from '@flatroute/common/http/server.ts';
import { createLogger } from '@flatroute/common/process/log.ts';
import { FakeSource } from '@flatroute/common/test/http/fake-source.ts';

const WRAPPER = fileURLToPath(new URL('../bin/flatroute', import.meta.url));
const PACKAGES = fileURLToPath(new URL('../../node_modules', import.meta.url));

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command line as a user does: by the wrapper, with only the system folders in PATH. */
function run(file: string, ...words: string[]): Promise<Result> {
  return runWith({}, file, ...words);
}

function runWith(variables: Record<string, string>, file: string, ...words: string[]): Promise<Result> {
  const env = { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', ...variables };
  return new Promise((resolve) => {
    execFile(file, words, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('the flatroute command', function () {
  this.timeout(30_000);
  let folder: string;
  let socket: string;
  let server: StatusServer;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flatroute-cli-'));
    socket = join(folder, 'agent.sock');
    const log = createLogger({ level: 'silent', format: 'json' });
    const source = new FakeSource({ peers: 1000, routes: 2345 });
    // Plans what the configuration says.
    const plan = async (text: string) => JSON.parse(text) as PlanView;
    server = await startStatusServer({ source, plan, socket, log });
  });
  after(async () => {
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const view = (...words: string[]) => run(WRAPPER, ...words, '--socket', socket);

  /** The lines of a successful view; checks that none is wider than 100 columns or has an escape sequence. */
  async function lines(...words: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await view(...words);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    const all = stdout.trimEnd().split('\n');
    for (const line of all) assert.ok([...line].length <= 100, `too wide: ${line}`);
    assert.ok(!stdout.includes('\u001b'));
    return all;
  }

  it('shows the policies and the number of routes for each rule', async () => {
    const all = await lines('policies');
    assert.match(all[0], /^tor-in: import of tor$/);
    assert.match(all.join('\n'), /^prefer +next +1,204,411$/m);
    const ends = all.filter((line) => /\d$/.test(line)).map((line) => line.length);
    assert.equal(new Set(ends).size, 1, 'numbers are aligned at the right');
    assert.match(all.join('\n'), /^otherwise +accept +40$/m);
  });

  it('shows the status with readiness, warnings and events', async () => {
    const text = (await lines('status')).join('\n');
    assert.match(text, /^n1 {2}agent 0\.1\.0, pid 4711, up 3h/);
    assert.match(text, /^Sessions +987 of 1000 established$/m);
    assert.match(text, /^Ready +yes$/m);
    assert.match(text, /^Load +normal \(worst pause 13 ms\)$/m);
    assert.doesNotMatch(text, /Event loop/);
    assert.match(text, /^Warning +n4 is held down until it is cleared by hand$/m);
    assert.match(text, / {2}n4 +closed: maximum prefixes exceeded/);
    const verbose = (await lines('status', '--verbose')).join('\n');
    assert.match(verbose, /^Event loop +delay 0\.1 \/ 1\.2 \/ 3\.4 \/ 12\.5 ms, slices /m);
  });

  it('shows a thousand peers, those that are down first, with the summary at both ends', async () => {
    const first = await lines('peers');
    assert.equal(first.length, 3 + 50 + 3, 'as many as a person reads');
    assert.match(first.at(-2)!, /^1–50 of 1,000; --offset 50 for the next, --limit all for all/);
    const all = await lines('peers', '--limit', 'all');
    assert.match(all[0], /^1,000 peers: 987 established, /);
    assert.equal(all.at(-1), all[0]);
    assert.match(all[2], /^PEER +ADDRESS +AS +STATE +FOR +IN +BEST +OUT +LAST ERROR$/);
    const states = all.slice(3, 1003).map((line) => line.includes(' Established '));
    assert.equal(states.indexOf(true), 13);
    assert.equal(states.lastIndexOf(false), 12);
  });

  it('filters and sorts peers', async () => {
    const down = await lines('peers', '--state', 'down');
    assert.match(down[0], /; 13 match$/);
    assert.equal(down.length, 3 + 13);
    const found = await lines('peers', '--search', 'n99', '--sort', 'name', '--limit', '3', '--offset', '1');
    assert.match(found[3], /^n990 /);
    assert.match(found.at(-1)!, /^2–4 of 11; --offset 4 for the next/);
    const active = await lines('peers', '--state', 'active');
    assert.match(active[3], /^n3 /);
    const byPrefixes = await lines('peers', '--sort', 'in');
    assert.match(byPrefixes[3], /^n1000 /);
    const json = JSON.parse((await view('peers', '--state', 'idle', '--json')).stdout);
    assert.deepEqual(
      json.peers.map((peer: { name: string }) => peer.name),
      ['n4'],
    );
  });

  it('shows one peer in full, by name or address', async () => {
    const text = (await lines('peers', 'tor')).join('\n');
    assert.equal((await lines('peers', '10.0.0.254')).length, text.split('\n').length);
    assert.match(text, /^tor {2}Established for /);
    assert.match(text, /^Last error +.*ago: administrative shutdown: /m);
    const missing = await view('peers', 'nobody');
    assert.deepEqual(
      [missing.code, missing.stderr],
      [1, 'flatroute: no peer nobody; "flatroute peers" lists them\n'],
    );
  });

  it('shows pages of routes, and all of them', async () => {
    const page = await lines('routes', '--limit', '3', '--offset', '1');
    assert.equal(page.length, 1 + 3 + 2);
    assert.match(page[1], /^10\.244\.2\.0\/26 +10\.0\.0\.2 +n2 +2 +installed$/);
    assert.equal(page.at(-1), '2–4 of 2,345 routes; --offset 4 for the next, --limit all for all');
    const lastPage = await lines('routes', '--limit', '2', '--offset', '2343');
    assert.equal(lastPage.at(-1), '2,344–2,345 of 2,345 routes');
    const beyond = await lines('routes', '--offset', '2345');
    assert.deepEqual(beyond, ['2,345 routes, none after the first 2,345']);
    const all = await lines('routes', '--limit', 'all');
    assert.equal(all.length, 1 + 2345 + 2);
    const found = await lines('routes', '--search', '4200000007');
    assert.equal(found.at(-1), '1 route with "4200000007"');
    assert.equal(JSON.parse((await view('routes', '--limit', '2000', '--json')).stdout).routes.length, 2000);
  });

  it('shows all paths to a prefix, or to the longest match of an address, and why each won or lost', async () => {
    const byAddress = await lines('routes', '10.244.2.9');
    assert.deepEqual(await lines('routes', '10.244.2.0/26'), byAddress);
    assert.equal(byAddress[0], '10.244.2.0/26  learned, kernel: installed');
    assert.equal(byAddress[2], 'PATH      NEXT HOP    FROM  PREF  MED  ORIGIN  AS PATH');
    assert.equal(byAddress[3], 'best      10.0.0.2    n2     100       IGP     (empty)');
    assert.match(byAddress[4], /^ {2}why: shortest AS path \(step 2\)/);
    assert.equal(byAddress[5], 'unusable  10.0.0.254  tor           0  IGP     65001 64512');
    const nowhere = await view('routes', '203.0.113.1');
    assert.deepEqual([nowhere.code, nowhere.stderr], [1, 'flatroute: no route covers 203.0.113.1\n']);
    const wrong = await view('routes', '10.244.2.9/26');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /did you mean 10\.244\.2\.0\/26/);
  });

  it('shows a prefix with its more specific ones, page by page', async () => {
    const all = await lines('routes', '100.64.0.0/14', '--longer-prefixes', '--limit', 'all');
    const count = all.length - 3;
    assert.equal(all.at(-1), `${count.toLocaleString('en')} routes in 100.64.0.0/14`);
    assert.ok(count >= 1000, `${count} routes: more than one page`);
    const page = await lines('routes', '100.64.0.0/14', '-l', '--limit', '2', '--offset', '1');
    const prefixOf = (line: string) => line.split(' ')[0];
    assert.deepEqual(page.slice(1, 3).map(prefixOf), all.slice(2, 4).map(prefixOf));
    const exact = await lines('routes', '10.244.2.0/26', '--longer-prefixes');
    assert.equal(exact.at(-1), '1 route in 10.244.2.0/26');
    assert.deepEqual(await lines('routes', '2001:db8::/32', '-l'), ['no routes in 2001:db8::/32']);
    const none = await view('routes', '--longer-prefixes');
    assert.deepEqual(
      [none.code, none.stderr],
      [2, 'flatroute: --longer-prefixes needs a prefix, such as 10.244.0.0/16\n'],
    );
  });

  describe('plan', () => {
    const none = { added: 0, withdrawn: 0, changed: 0 };
    const untouched: PlanView['peers'][number] = {
      ...{ peer: 'n9', session: 'stays', because: [], taken: none, told: none },
    };
    async function planned(plan: PlanView): Promise<string[]> {
      const file = join(folder, 'planned.yaml');
      await writeFile(file, JSON.stringify(plan));
      return lines('plan', '--config', file);
    }

    it('shows changes of sessions and routes peer by peer, and counts the other peers', async () => {
      const peers: PlanView['peers'] = [
        { ...untouched, peer: 'tor', taken: { added: 0, withdrawn: 12, changed: 3 } },
        { ...untouched, peer: 'n4', session: 'reset', because: ['as'] },
        { peer: 'n5', session: 'added', because: [] },
        untouched,
      ];
      assert.deepEqual(
        await planned({ changed: ['policies.tor-in', 'peers[n4].as'], needRestart: [], peers }),
        [
          'changed: policies.tor-in, peers[n4].as',
          '',
          'PEER  SESSION     IMPORT     EXPORT',
          'tor   stays       +0 -12 ~3  unchanged',
          'n4    reset (as)  unchanged  unchanged',
          'n5    added',
          '',
          '+ added, - withdrawn, ~ changed routes',
          '',
          'nothing changes for 1 other peer',
        ],
      );
    });

    it('shows no table without changes for a peer, and keys that take a restart', async () => {
      const changed = ['log.level', 'as'];
      assert.deepEqual(await planned({ changed, needRestart: ['as'], peers: [untouched, untouched] }), [
        'changed: log.level, as',
        'a reload would be refused: as can only be changed by a restart',
        '',
        'nothing changes for 2 peers',
      ]);
      const touched = [{ ...untouched, told: { ...none, added: 1 } }];
      assert.equal(
        (await planned({ changed, needRestart: [], peers: touched })).at(-1),
        '+ added, - withdrawn, ~ changed routes',
      );
      assert.deepEqual(await planned({ changed: [], needRestart: [], peers: [untouched] }), [
        'nothing would change',
      ]);
    });

    it('exits with 2 for a configuration that cannot be read', async () => {
      const { code, stderr } = await view('plan', '--config', join(folder, 'none.yaml'));
      assert.deepEqual([code, stderr.startsWith('flatroute: cannot read ')], [2, true]);
    });
  });

  it('shows pods and explains an address', async () => {
    const pods = await lines('pods');
    assert.equal(pods[0], '9 pods, 1 with problems');
    assert.match(pods.join('\n'), /10\.244\.1\.5 +fra11ce5ccd +3h\d+m +host route missing/);
    const explained = (await lines('explain', '10.244.1.2')).join('\n');
    assert.match(explained, /^advertised +warning +sent to tor, n2, n6\n {23}not sent to n3/m);
    assert.match(explained, /^RIB +ok /m);
    assert.equal((await view('explain', 'n1')).code, 2);
  });

  it('prints the documents as JSON', async () => {
    for (const name of ['status', 'pods', 'peers', 'routes']) {
      const { stdout, code } = await view(name, '--json');
      assert.equal(code, 0);
      assert.equal(typeof JSON.parse(stdout), 'object');
    }
  });

  it('reports in one line that no daemon runs, and how to start it', async () => {
    const missing = await run(WRAPPER, 'status', '--socket', join(folder, 'none.sock'));
    assert.equal(missing.code, 1);
    assert.match(
      missing.stderr,
      /^flatroute: the agent is not running: \S*none\.sock does not exist; start it with "flatroute agent --config FILE"[^\n]*\n$/,
    );
    const reflector = await run(WRAPPER, 'peers', '--socket', join(folder, 'reflector.sock'));
    assert.match(reflector.stderr, /the reflector is not running.*"flatroute reflector --config FILE"/);
  });

  it('reports another program on the socket', async () => {
    const path = join(folder, 'other.sock');
    const other: Server = createServer((connection) => {
      connection.on('error', () => {});
      connection.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello');
    });
    await new Promise<void>((resolve) => void other.listen(path, resolve));
    try {
      const { code, stderr } = await run(WRAPPER, 'status', '--socket', path);
      assert.equal(code, 1);
      assert.match(stderr, /is not a Flatroute daemon; check --socket/);
    } finally {
      other.close();
    }
  });

  it('exits with 2 on wrong usage, with a hint', async () => {
    const mistyped = await run(WRAPPER, 'rutes');
    assert.equal(mistyped.code, 2);
    assert.match(mistyped.stderr, /^flatroute: unknown command 'rutes'\n\(Did you mean routes\?\)\n$/);
    for (const words of [
      ['peers', '--state', 'tired'],
      ['routes', '--limit', '0'],
      ['explain'],
      ['agent'],
      ['status', 'extra'],
    ]) {
      assert.equal((await run(WRAPPER, ...words)).code, 2, words.join(' '));
    }
    const help = await run(WRAPPER, '--help');
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: flatroute/);
  });

  it('checks configurations: exits with 0, or with 2 and each error on its line', async () => {
    const good = join(folder, 'good.yaml');
    const bad = join(folder, 'bad.yaml');
    await writeFile(good, 'node: n1\naddress: 10.0.0.1\nas: 64512\npodCIDRs: [10.244.1.0/26]\n');
    await writeFile(bad, 'address: 10.0.0.1\nas: 0\nhold: 9\n');
    const fine = await run(WRAPPER, 'agent', '--config', good, '--check');
    assert.equal(fine.stdout, `${good}: OK (node n1, AS 64512, 0 peers, pods in 10.244.1.0/26)\n`);
    assert.deepEqual([fine.code, fine.stderr], [0, '']);
    const broken = await run(WRAPPER, 'agent', '--config', bad, '--check');
    assert.equal(broken.code, 2);
    assert.match(
      broken.stderr,
      /^flatroute: .*bad\.yaml:2:5: as: 0 is reserved.*\nflatroute: .*bad\.yaml:3:1: hold: unknown key.*\n$/,
    );
    const reflector = await run(WRAPPER, 'reflector', '--config', good, '--check');
    assert.equal(reflector.code, 2);
    assert.match(reflector.stderr, /routerId: is missing/);
  });

  it('runs through symbolic links', async () => {
    const link = join(folder, 'flatroute');
    const linkToLink = join(folder, 'fr');
    await symlink(WRAPPER, link);
    await symlink('flatroute', linkToLink);
    const { code, stdout } = await run(linkToLink, 'status', '--socket', socket);
    assert.equal(code, 0);
    assert.match(stdout, /^n1 /);
  });

  it('exits quietly with its reader', async () => {
    const { code, stdout, stderr } = await run(
      '/bin/sh',
      '-c',
      `'${WRAPPER}' routes --limit all --socket '${socket}' | head -n 1`,
    );
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^PREFIX/);
  });
});

describe('the start of flatroute', () => {
  /** Prints which program runs, with the settings of the engine and of malloc. */
  const program = (name: string) =>
    `console.log(${JSON.stringify(name)}, ...process.execArgv, process.env.MALLOC_MMAP_THRESHOLD_ ?? '-');\n`;
  const MEMORY_SETTINGS = '--max-semi-space-size=2 --optimize-for-size --no-maglev 131072';
  let folder: string;
  let wrapper: string;

  /** An installation whose programs only say that they run. */
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flatroute-start-'));
    await mkdir(join(folder, 'cli/bin'), { recursive: true });
    await mkdir(join(folder, 'cli/build'));
    wrapper = join(folder, 'cli/bin/flatroute');
    await copyFile(WRAPPER, wrapper);
    await symlink(PACKAGES, join(folder, 'node_modules'));
    await writeFile(join(folder, 'cli/build/flatroute.cjs'), program('build'));
    // Newer than the build, which makes no difference.
    await writeFile(join(folder, 'cli/main.ts'), program('sources'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const output = async (...words: string[]) => (await run(wrapper, ...words)).stdout.trimEnd();

  it('runs what was built, compiles nothing and writes nothing', async () => {
    const files = await readdir(join(folder, 'cli'), { recursive: true });
    assert.equal(await output('status'), 'build -');
    assert.deepEqual(await readdir(join(folder, 'cli'), { recursive: true }), files);
  });

  it('runs the sources where nothing was built', async () => {
    await rm(join(folder, 'cli/build'), { recursive: true });
    assert.equal(await output('status'), 'sources -');
    assert.equal(await output('agent'), `sources ${MEMORY_SETTINGS}`);
  });

  it('fails with a remedy when there is no program, or no Node.js 24', async () => {
    await rm(join(folder, 'node_modules'));
    // A Node.js that finds itself too old.
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'node'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const old = await runWith({ PATH: `${bin}:/usr/bin:/bin` }, wrapper, 'status');
    assert.equal(old.code, 1);
    assert.match(old.stderr, /no Node\.js 24 found above .*; run npm ci in the repository\n$/);
    await rm(join(folder, 'cli/build'), { recursive: true });
    await rm(join(folder, 'cli/main.ts'));
    const empty = await run(wrapper, 'status');
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /^flatroute: .*\/cli has neither .*; run npm run build in the repository\n$/);
  });

  it('has memory settings for daemons alone, which a variable switches off', async () => {
    assert.equal(await output('peers'), 'build -');
    assert.equal(await output('reflector', '--config', 'x'), `build ${MEMORY_SETTINGS}`);
    const off = await runWith({ FLATROUTE_MEMORY_SETTINGS: 'off' }, wrapper, 'reflector');
    assert.equal(off.stdout.trimEnd(), 'build -');
    const own = await runWith({ MALLOC_MMAP_THRESHOLD_: '4096' }, wrapper, 'agent');
    assert.match(own.stdout, / 4096$/m);
  });
});
