import assert from 'node:assert/strict';
import { join } from 'node:path';
import { repository, run } from '../../lab/processes.ts';

/** `npm run bench -- …`, without npm. */
const bench = (...args: string[]) =>
  run('', [process.execPath, join(repository, 'labtests/bench/main.ts'), ...args], { timeoutMs: 120_000 });

describe('npm run bench', () => {
  it('lists the benchmarks when no known one is named', async () => {
    for (const args of [[], ['nothing']]) {
      const { code, stderr } = await bench(...args);
      assert.equal(code, 2);
      for (const name of ['reflector', 'growth', 'micro', 'slow-client', 'soak', 'slices', 'scale']) {
        assert.match(stderr, new RegExp(`^ {2}${name} `, 'm'));
      }
    }
  });

  it('says in one line why the comparison cannot run', async () => {
    const { code, stderr } = await bench('reflector', '--scenario', 'pots');
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^bench: unknown scenario pots; there are table, internet, pods, cluster, [^\n]*\n$/,
    );
  });

  it('refuses options that a benchmark does not know', async () => {
    const { code, stderr } = await bench('micro', '--rounds', '3');
    assert.equal(code, 2);
    assert.match(stderr, /--rounds/);
  });

  it('ends with one JSON document, and with exit code 1 exactly when a bound was missed', async function () {
    this.timeout(150_000);
    const { code, stdout } = await bench('micro', '--routes', '20000', '--json');
    const lines = stdout.trimEnd().split('\n');
    const document = JSON.parse(lines.at(-1)!) as { name: string; rows: Record<string, unknown>[] };
    assert.equal(document.name, 'micro');
    assert.ok(document.rows.length > 10);
    for (const row of document.rows) {
      assert.deepEqual(Object.keys(row), ['metric', 'ours', 'reference', 'ratio', 'bound', 'ok']);
      assert.ok(stdout.includes(String(row.metric)), 'the table has it too');
    }
    assert.equal(code, document.rows.every(({ ok }) => ok) ? 0 : 1);
  });
});
