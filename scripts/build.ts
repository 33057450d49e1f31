/**
 * `npm run build [-- command] [plugin] [library]`: builds what ships, each part into a folder that git ignores.
 *
 * - `command`: the command line and the daemons, each as one file of JavaScript: `cli/build/flatroute.cjs`, which loads
 *   `agent.cjs` or `reflector.cjs` beside it. A daemon starts in a third of the time that it takes from the sources and
 *   in 60 MB less, because nothing strips types at its start.
 * - `plugin`: the CNI plugin, `cni/build/flatroute`, a static program in C.
 * - `library`: `bgp-js/dist`, JavaScript with type declarations for Node 20 and later.
 *
 * Without a name it builds all three. Files are replaced in one step, so a program that starts meanwhile runs the old or
 * the new one.
 */

import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = dirname(import.meta.dirname);
const buildFolder = join(root, 'cli/build');
const DAEMONS = ['agent', 'reflector'];

/** Resources such as the page stay in the source folders: `import.meta.url` becomes an address seen from the bundle. */
const sourceAddresses: Plugin = {
  name: 'source addresses',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const from = JSON.stringify(relative(buildFolder, path));
      const contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', `addressOf(${from})`);
      return { contents, loader: 'ts' };
    });
  },
};

/** Leaves out the push gateway of the metrics library: unused here, and it loads TLS, which takes 10 MB. */
const withoutPushGateway: Plugin = {
  name: 'without push gateway',
  setup({ onLoad }) {
    onLoad({ filter: /@prometheus-io\/client\/lib\/pushgateway\.js$/ }, () => ({ contents: '' }));
  },
};

/** Keeps the daemons out of the command line: viewing commands start without them, and each daemon without the other. */
const daemonsApart: Plugin = {
  name: 'daemons apart',
  setup({ onResolve }) {
    onResolve({ filter: /^@flatroute\/(agent|reflector)\/main\.ts$/ }, ({ path }) => {
      return { path: `./${path.split('/')[1]}.cjs`, external: true };
    });
  },
};

async function buildCommand(): Promise<void> {
  // The command line comes last: whoever starts it meanwhile finds the daemons that it was built with, or newer ones.
  for (const name of DAEMONS) await bundle(name, join(root, name, 'main.ts'), []);
  await bundle('flatroute', join(root, 'cli/main.ts'), [daemonsApart]);
}

/**
 * CommonJS, because an ESM import of `node:http` reads every name that the module exports, and reading one of them loads
 * an HTTP client of 13 MB. White space and comments are removed, because V8 keeps the text of a program in memory. Names
 * stay, so that stack traces are readable.
 */
async function bundle(name: string, entry: string, plugins: Plugin[]): Promise<void> {
  const outfile = join(buildFolder, `${name}.cjs`);
  const temporary = `${outfile}.${randomUUID()}.tmp`;
  mkdirSync(buildFolder, { recursive: true });
  try {
    await build({
      entryPoints: [entry],
      outfile: temporary,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node24',
      external: ['koffi'],
      minifyWhitespace: true,
      lineLimit: 160,
      plugins: [...plugins, sourceAddresses, withoutPushGateway],
      define: { 'import.meta.main': 'false' },
      banner: {
        js: `const addressOf = (path) =>
  require('node:url').pathToFileURL(require('node:path').resolve(__dirname, path)).href;`,
      },
      logLevel: 'warning',
    });
    renameSync(temporary, outfile);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function buildLibrary(): void {
  const target = join(root, 'bgp-js/dist');
  const temporary = `${target}.${randomUUID()}.tmp`;
  const compiler = join(root, 'node_modules/.bin/tsc');
  try {
    const command = ['-p', join(root, 'bgp-js/tsconfig.build.json'), '--outDir', temporary];
    const { status, stdout, stderr, error } = spawnSync(compiler, command, { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new Error(`bgp-js does not compile:\n${error?.message ?? ''}${stdout}${stderr}`);
    // The compiler rewrites import paths in JavaScript only; in declarations not every tool resolves `.ts`.
    for (const name of globSync('**/*.d.ts', { cwd: temporary })) {
      const file = join(temporary, name);
      const declarations = readFileSync(file, 'utf8');
      writeFileSync(file, declarations.replaceAll(/((?:from |import\()['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'));
    }
    if (existsSync(target)) renameSync(target, `${temporary}.old`);
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
    rmSync(`${temporary}.old`, { recursive: true, force: true });
  }
}

const parts: Record<string, () => unknown> = {
  command: buildCommand,
  plugin: async () => (await import('../cni/build.ts')).buildPlugin(),
  library: buildLibrary,
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
const unknown = wanted.filter((name) => !Object.hasOwn(parts, name));
if (unknown.length > 0) {
  process.stderr.write(
    `build: unknown part ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}\n`,
  );
  process.exit(2);
}
for (const name of wanted) await parts[name]();
