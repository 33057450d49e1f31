// Rewrites bgp-js/package.json for the published package, and restores it: npm runs this as `prepack` and `postpack` of
// `npm pack` and `npm publish`. In the repository the exports are TypeScript, which runs without a build. The package has
// JavaScript and declarations, because Node.js does not strip types in node_modules. Plain JavaScript, for any Node.js.

import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, root, setUpNpmPackages } from './setup.mjs';

const manifest = join(root, 'bgp-js/package.json');
const original = `${manifest}.orig`;
const license = join(root, 'bgp-js/LICENSE');

/** Restores what `prepare` changed, also after an interrupted run. */
function restore() {
  if (existsSync(original)) renameSync(original, manifest);
  rmSync(license, { force: true });
}

function prepare() {
  restore();
  setUpNpmPackages();
  build('library');
  copyFileSync(join(root, 'LICENSE'), license);
  const { scripts, exports, ...rest } = JSON.parse(readFileSync(manifest, 'utf8'));
  // Patterns give the workspaces access to every source; the package exports only its named entries.
  const entries = Object.entries(exports).filter(([name]) => !name.includes('*'));
  const published = entries.map(([name, source]) => {
    const compiled = source.replace(/^\.\/(.*)\.ts$/, './dist/$1');
    return [name, { types: `${compiled}.d.ts`, default: `${compiled}.js` }];
  });
  copyFileSync(manifest, original);
  writeFileSync(
    manifest,
    `${JSON.stringify({ ...rest, exports: Object.fromEntries(published) }, null, 2)}\n`,
  );
}

if (process.argv[2] === 'restore') restore();
else prepare();
