/**
 * Loaded by `--import` before a daemon: records which functions run between two signals. SIGWINCH begins a recording;
 * the next one writes the repository's files with the functions that ran to the file that COVERAGE_FILE names.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
let recording = false;

process.on('SIGWINCH', async () => {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  recording = !recording;
  if (recording) return;
  const ran = result
    .filter(({ url }) => url.startsWith('file:') && !url.includes('/node_modules/'))
    .map(({ url, functions }) => ({
      url,
      functions: functions
        .filter(({ functionName, ranges }) => functionName !== '' && ranges[0].count > 0)
        .map(({ functionName }) => functionName),
    }))
    .filter(({ functions }) => functions.length > 0);
  writeFileSync(process.env.COVERAGE_FILE ?? 'coverage.json', JSON.stringify(ran));
});
