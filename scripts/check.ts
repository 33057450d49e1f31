/** `npm run check`: types, lint and format, and the rules of the architecture. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const bin = (name: string) => join(root, 'node_modules/.bin', name);

const steps = [
  { name: 'types', command: [bin('tsc'), '--noEmit'] },
  { name: 'types of the page', command: [bin('tsc'), '--noEmit', '-p', 'common/http/page'] },
  { name: 'lint and format', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'unused exports, files and packages', command: [bin('knip'), '--no-progress'] },
  { name: 'API reference', command: [process.execPath, join(root, 'scripts/docs.ts'), '--check'] },
  { name: 'architecture', command: [bin('mocha'), '--reporter', 'dot', 'test/**/*.test.ts'] },
];

const failed = steps.filter(({ name, command }) => {
  process.stdout.write(`${name}\n`);
  const [file, ...args] = command;
  return spawnSync(file, args, { cwd: root, stdio: 'inherit' }).status !== 0;
});
if (failed.length > 0) {
  process.stderr.write(`check failed: ${failed.map((step) => step.name).join(', ')}\n`);
  process.exit(1);
}
