import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FEATURES } from '../../fuzz/features.ts';
import { findingOf, fuzzOne, programOf } from '../../fuzz/fuzzer.ts';
import { formatProgram, parseProgram } from '../../fuzz/program.ts';

const findings = join(import.meta.dirname, '../../fuzz/findings');
/** The first seed; `npm run fuzz` takes others. */
const SECONDS = 5;
const AT_LEAST = 100;

describe('the fuzzer', function () {
  this.timeout(120_000);

  for (const file of readdirSync(findings)) {
    it(`no longer finds ${file}`, () => {
      const program = parseProgram(readFileSync(join(findings, file), 'utf8'));
      for (let seed = 1; seed <= 20; seed++) assert.equal(findingOf(program, seed), null);
    });
  }

  it(`finds nothing in ${SECONDS} seconds`, () => {
    const ends = new Map<string, number>();
    const tried = new Set<string>();
    const until = performance.now() + SECONDS * 1000;
    for (let seed = 1; seed <= AT_LEAST || performance.now() < until; seed++) {
      for (const feature of programOf(seed).features) tried.add(feature);
      const finding = fuzzOne(seed, (what) => ends.set(what, (ends.get(what) ?? 0) + 1));
      assert.equal(finding, null, `seed ${seed}: npm run fuzz -- --seed ${seed}\n${finding?.text}`);
    }
    assert.deepEqual([...tried].sort(), [...FEATURES].sort());
    assert.ok((ends.get('Established') ?? 0) > 0, 'some sessions survive');
    assert.ok(ends.size > 5, `they end in many ways: ${[...ends.keys()].join(', ')}`);
  });

  it('reads back the programs that it saves', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const program = programOf(seed);
      const { open, messages, ...kind } = parseProgram(formatProgram(program, 'a finding'));
      const plain = (bytes: Uint8Array): number[] => [...bytes];
      const { ebgp, fourOctetAs, features } = program;
      assert.deepEqual(kind, { ebgp, fourOctetAs, features });
      assert.deepEqual([open, ...messages].map(plain), [program.open, ...program.messages].map(plain));
    }
  });

  it('rejects a file that is not a program', () => {
    assert.throws(() => parseProgram('{}'), /not a fuzz program/);
    assert.throws(() => parseProgram('{"ebgp":true,"fourOctetAs":true,"open":"f"}'), /not a fuzz program/);
    assert.throws(() => parseProgram('{"ebgp":true,"fourOctetAs":true,"open":"","messages":["x"]}'), /hex/);
  });
});
