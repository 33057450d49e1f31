/** The `flatroute` command that labs run: what `npm run build` made, so that what is tested is what ships. */

import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './processes.ts';

const BUNDLE = 'cli/build/flatroute.cjs';
/** The files that the bundle is made from; package-lock.json stands for the npm packages. */
const SOURCES = ['{agent,bgp-js,cli,common,cni,reflector}/**/*.ts', 'scripts/build.ts', 'package-lock.json'];

/** Path of the `flatroute` command of this repository. */
export const flatroute = join(repository, 'node_modules/.bin/flatroute');

/** Throws an Error when there is no build, or one that is older than a source. The command itself never compiles. */
export function assertBuilt(): void {
  const modified = (path: string) => statSync(join(repository, path), { throwIfNoEntry: false })?.mtimeMs;
  const built = modified(BUNDLE);
  if (built === undefined) throw new Error(`${BUNDLE} is missing; run npm run build`);
  const exclude = ['**/test/**', '**/node_modules/**', 'bgp-js/dist*/**'];
  const newer = globSync(SOURCES, { cwd: repository, exclude }).find((path) => modified(path)! > built);
  if (newer) throw new Error(`${BUNDLE} is older than ${newer}; run npm run build`);
}
