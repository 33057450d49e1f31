/**
 * The package as its users get it: packed by npm, installed into an empty folder without koffi, and the README's speaker
 * run from there in JavaScript and in TypeScript, on every supported Node.js, against BIRD in a network namespace.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const VERSIONS = [20, 22, 24];

const repository = join(import.meta.dirname, '../..');
const namespace = `bgpjs-${process.pid}`;
const PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`;
const execute = promisify(execFile);
const children: ChildProcess[] = [];
let folder = '';

/** The README's neighbour: 10.0.0.2 of the same AS, with a route of its own. */
const BIRD = `router id 10.0.0.2;
protocol device {}
protocol static { ipv4; route 10.244.2.0/26 blackhole; }
protocol bgp speaker {
  local 10.0.0.2 as 64512;
  neighbor 10.0.0.1 as 64512;
  strict bind yes;
  connect delay time 1;
  ipv4 { import all; export all; };
}
`;

const npm = (cwd: string, ...args: string[]) =>
  execute('npm', [...args, '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'], { cwd });

/** The program of a version of Node.js: the machine's, the one that runs this, or npm's, which is kept in `.cache`. */
async function nodeOf(version: number): Promise<string> {
  const cache = join(repository, '.cache', `node-${version}`);
  const name = `node-${process.platform}-${process.arch}`;
  const cached = join(cache, 'node_modules', name, 'bin/node');
  for (const path of [process.execPath, '/usr/local/bin/node', '/usr/bin/node', cached]) {
    if (!existsSync(path)) continue;
    if (execFileSync(path, ['--version'], { encoding: 'utf8' }).startsWith(`v${version}.`)) return path;
  }
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(cache, 'package.json'), '{}\n');
  await npm(cache, 'install', '--no-save', `${name}@${version}`);
  return cached;
}

/** Runs `npm pack` in a copy of the repository: it changes package.json for a moment, while other tests read it. */
async function pack(): Promise<string> {
  const copy = join(folder, 'repository');
  const sources = [
    'bgp-js',
    'scripts',
    'cni',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'LICENSE',
  ];
  const isSource = (path: string) => !/\/(test|dist|build)(\/|$)/.test(path.slice(repository.length));
  for (const name of sources) {
    cpSync(join(repository, name), join(copy, name), { recursive: true, filter: isSource });
  }
  symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'));
  const manifest = readFileSync(join(copy, 'bgp-js/package.json'), 'utf8');
  const { stdout } = await npm(join(copy, 'bgp-js'), 'pack', '--json');
  assert.equal(readFileSync(join(copy, 'bgp-js/package.json'), 'utf8'), manifest, 'package.json is put back');
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const kinds = new Set(files.map(({ path }) => path.replace(/^dist\/.*?(\.d\.ts|\.js)$/, 'dist/*$1')));
  assert.deepEqual([...kinds].sort(), ['LICENSE', 'README.md', 'dist/*.d.ts', 'dist/*.js', 'package.json']);
  return join(copy, 'bgp-js', filename);
}

/** The first program of the README. */
function firstProgram(): string {
  const readme = readFileSync(join(repository, 'bgp-js/README.md'), 'utf8');
  return /^```js\n(.*?)^```$/ms.exec(readme)?.[1] ?? assert.fail('README.md has no JavaScript');
}

/** Starts a program in the namespace; `output` grows as it prints. */
function start(...command: string[]): { child: ChildProcess; output: () => string } {
  const child = spawn('ip', ['netns', 'exec', namespace, ...command], {
    cwd: folder,
    env: { ...process.env, PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return { child, output: () => text };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

/** The README's speaker and BIRD receive each other's route, and BIRD the reason when the speaker stops. */
async function exchange(node: string, program: string, config = BIRD): Promise<void> {
  const control = join(folder, 'bird.ctl');
  writeFileSync(join(folder, 'bird.conf'), config);
  const bird = start('bird', '-f', '-c', 'bird.conf', '-s', control);
  const speaker = start(node, program);
  const birdc = (...words: string[]) =>
    execute('birdc', ['-s', control, ...words], { env: { ...process.env, PATH } }).then(
      ({ stdout }) => stdout,
    );
  try {
    const deadline = performance.now() + 20_000;
    for (;;) {
      // The socket exists before BIRD listens on it.
      const routes = await birdc('show', 'route').catch(() => '');
      const received = speaker.output().includes("nextHop: '10.0.0.2'");
      if (received && routes.includes('10.244.1.0/26')) break;
      const state = `\n${speaker.output()}\n${routes}\n${bird.output()}`;
      assert.equal(speaker.child.exitCode, null, state);
      assert.ok(performance.now() < deadline, state);
      await sleep(50);
    }
    const exited = once(speaker.child, 'exit');
    speaker.child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null], speaker.output());
    assert.match(await birdc('show', 'protocols', 'all', 'speaker'), /Received: Administrative shutdown/);
  } finally {
    await stop(speaker.child, 'SIGKILL');
    await stop(bird.child, 'SIGTERM');
    rmSync(control, { force: true });
  }
}

describe('the package', function () {
  this.timeout(120_000);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bgp-js-package-'));
    const tarball = await pack();
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
    await npm(folder, 'install', tarball, '@types/node@24');
    writeFileSync(join(folder, 'speaker.js'), firstProgram());
    mkdirSync(join(folder, 'typed'));
    writeFileSync(join(folder, 'typed/speaker.ts'), firstProgram());
    execFileSync('ip', ['netns', 'add', namespace]);
    execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
    for (const address of ['10.0.0.1/32', '10.0.0.2/32']) {
      execFileSync('ip', ['-n', namespace, 'address', 'add', address, 'dev', 'lo']);
    }
  });

  after(async () => {
    await Promise.all(children.map((child) => stop(child, 'SIGKILL')));
    rmSync(folder, { recursive: true });
    execFileSync('ip', ['netns', 'del', namespace]);
  });

  it('needs ip-address and nothing native', () => {
    const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, object>;
    };
    const installed = Object.keys(packages).filter((path) => path !== '' && !/types/.test(path));
    assert.deepEqual(installed.sort(), ['node_modules/bgp-js', 'node_modules/ip-address']);
  });

  it("compiles the README's speaker as TypeScript against its declarations", async () => {
    assert.ok(firstProgram().trim().split('\n').length <= 25, 'a speaker takes about 20 lines');
    const compiler = join(repository, 'node_modules/.bin/tsc');
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    const command = [compiler, ...options, '--ignoreConfig', 'typed/speaker.ts'];
    const { stdout } = await execute(process.execPath, command, { cwd: folder }).catch((error) => error);
    assert.equal(stdout, '');
    assert.ok(existsSync(join(folder, 'typed/speaker.js')));
  });

  for (const version of VERSIONS) {
    it(`exchanges routes with BIRD on Node.js ${version}, from JavaScript and from TypeScript`, async () => {
      const node = await nodeOf(version);
      await exchange(node, join(folder, 'speaker.js'));
      await exchange(node, join(folder, 'typed/speaker.js'));
    });
  }

  it('protects accepted connections with MD5 on Node.js 20 once koffi is installed', async () => {
    const { version } = JSON.parse(
      readFileSync(join(repository, 'node_modules/koffi/package.json'), 'utf8'),
    ) as { version: string };
    await npm(folder, 'install', `koffi@${version}`);
    const peer = "{ address: '10.0.0.2', as: 64512 }";
    const program = firstProgram().replace(
      peer,
      "{ address: '10.0.0.2', as: 64512, passive: true, transport: { password: 'secret' } }",
    );
    assert.notEqual(program, firstProgram());
    writeFileSync(join(folder, 'md5.js'), program);
    const config = BIRD.replace('strict bind yes;', 'strict bind yes; password "secret";');
    await exchange(await nodeOf(20), join(folder, 'md5.js'), config);
  });
});
