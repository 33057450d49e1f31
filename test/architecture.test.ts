import assert from 'node:assert/strict';
import { posix } from 'node:path';
import {
  importsOf,
  longFunctions,
  readLaw,
  readLock,
  readManifest,
  readSources,
  sourceLengths,
  withoutComments,
} from './sources.ts';

/** Which workspaces a workspace may import: the table of docs/architecture.md is the law. */
const mayImport = readLaw();
const workspaces = Object.keys(mayImport);
const folderOfPackage = new Map(workspaces.map((folder) => [readManifest(folder).name, folder]));
const sources = readSources();
const sourcesOf = (folder: string) => sources.filter((source) => source.workspace === folder);

/** `@flatroute/common/http/api.ts` → `@flatroute/common`. */
function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

const isLocal = (name: string) => name.startsWith('.');
const isBuiltIn = (name: string) => name.startsWith('node:');

/** Fails with all broken places, one a line. */
function assertNone(broken: string[], law: string): void {
  assert.equal(broken.length, 0, `${law}:\n  ${broken.join('\n  ')}`);
}

describe('architecture', () => {
  it('has a law for every workspace', () => {
    const { workspaces: declared } = readManifest('');
    assert.deepEqual(workspaces.toSorted(), declared?.toSorted());
    assert.deepEqual(mayImport['bgp-js'], []);
    assert.ok(!mayImport.agent.includes('reflector') && !mayImport.reflector.includes('agent'));
    assert.ok(mayImport.cli.includes('agent') && !mayImport.cli.includes('labtests'));
  });

  it('reads the sources of the workspaces', () => {
    assert.ok(sources.length > 50, `only ${sources.length} sources were found`);
    const imports = sources.flatMap((source) => importsOf(source.text));
    assert.ok(imports.length > sources.length, 'hardly any import was found');
  });

  for (const workspace of workspaces) {
    it(`${workspace} imports only the workspaces it may`, () => {
      const broken = sourcesOf(workspace).flatMap((source) =>
        importsOf(source.text).flatMap((name) => {
          const target = isLocal(name)
            ? posix.join(posix.dirname(source.path), name).split('/')[0]
            : folderOfPackage.get(packageOf(name));
          if (target === undefined || (isLocal(name) && target === workspace)) return [];
          const allowed =
            !isLocal(name) &&
            (target === workspace ||
              mayImport[workspace].includes(target) ||
              (source.isTest && target === 'bgp-js-testing'));
          return allowed ? [] : [`${source.path} imports ${name}`];
        }),
      );
      assertNone(
        broken,
        `${workspace} may import ${mayImport[workspace].join(', ') || 'none of its siblings'}`,
      );
    });

    it(`${workspace} declares the packages it imports`, () => {
      const { dependencies, peerDependencies } = readManifest(workspace);
      const declared = Object.keys({ ...dependencies, ...peerDependencies });
      const shared = Object.keys(readManifest('').devDependencies ?? {});
      const broken = sourcesOf(workspace).flatMap((source) =>
        importsOf(source.text)
          .filter((name) => !isLocal(name) && !isBuiltIn(name))
          .map(packageOf)
          .filter((name) => !folderOfPackage.has(name) && !declared.includes(name))
          .filter((name) => !(source.isTest && shared.includes(name)))
          .map((name) => `${source.path} imports ${name}`),
      );
      assertNone(broken, `not among the dependencies of ${workspace}/package.json`);
    });
  }

  it('the core of bgp-js knows no socket, clock or chance', () => {
    const core = sourcesOf('bgp-js').filter(({ path, isTest }) => !isTest && !/^bgp-js\/net\//.test(path));
    const harmless = ['node:buffer', 'node:util'];
    const impure =
      /\b(Date|performance|setTimeout|setInterval|setImmediate|Math\.random|process\.hrtime|fetch)\b/;
    const broken = core.flatMap(({ path, text }) => [
      ...importsOf(text)
        .filter((name) => isBuiltIn(name) && !harmless.includes(name))
        .map((name) => `${path} imports ${name}`),
      ...importsOf(text)
        .filter((name) => isLocal(name) && /^bgp-js\/net\//.test(posix.join(posix.dirname(path), name)))
        .map((name) => `${path} imports ${name}`),
      ...withoutComments(text)
        .split('\n')
        .flatMap((line, index) => (impure.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    ]);
    assertNone(broken, 'bytes and time come in as arguments there');
  });

  it('imports carry their extension, and no relative import leaves its workspace', () => {
    const broken = sources.flatMap((source) =>
      importsOf(source.text)
        .filter((name) => isLocal(name) && !/\.(ts|mjs|json)$/.test(name))
        .map((name) => `${source.path} imports ${name}`),
    );
    assertNone(broken, 'import paths end in .ts');
  });

  it('no file is over 500 lines', () => {
    const broken = sourceLengths()
      .filter(({ lines }) => lines > 500)
      .map(({ path, lines }) => `${path} has ${lines}`);
    assertNone(broken, 'a file has one subject and at most 500 lines');
  });

  it('no function is over 70 lines', () => {
    const broken = sources
      .filter((source) => !source.isTest)
      .flatMap(({ path, text }) =>
        longFunctions(text, 70).map(({ line, length }) => `${path}:${line} has ${length} lines`),
      );
    assertNone(broken, 'a function has at most 70 lines');
  });

  it('there is no default export and nothing is silenced', () => {
    const forbidden = /^\s*export default\b|(?:\bas |: |<)any\b/;
    const silencer = new RegExp(`@ts-${'ignore'}|@ts-${'nocheck'}`);
    const broken = sources.flatMap(({ path, text }) =>
      withoutComments(text)
        .split('\n')
        .flatMap((line, index) => (forbidden.test(line) ? [`${path}:${index + 1}`] : []))
        .concat(silencer.test(text) ? [path] : []),
    );
    assertNone(broken, 'no default export, nothing hidden from the compiler');
  });

  it('the lock file names no download address', () => {
    const { packages } = readLock();
    const broken = Object.entries(packages)
      .filter(([, entry]) => !entry.link && entry.resolved !== undefined)
      .map(([path]) => path);
    assertNone(broken, 'package-lock.json has "resolved" (see .npmrc)');
  });
});
