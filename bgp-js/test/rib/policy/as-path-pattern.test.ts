import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AsPathPattern } from '../../../rib/policy/as-path-pattern.ts';

const path = (...ases: number[]) => ases.map((as) => [as]);

/** A pattern as a tree, with its text and a matcher that tries everything: the ends at which it may stop. */
type Tree =
  | { kind: 'one'; text: string; accepts: (as: number) => boolean }
  | { kind: 'anchor'; text: '^' | '$' }
  | { kind: 'sequence'; parts: Tree[] }
  | { kind: 'choice'; parts: Tree[] }
  | { kind: 'repeat'; sign: '*' | '+' | '?'; part: Tree };

function textOf(tree: Tree): string {
  if (tree.kind === 'one' || tree.kind === 'anchor') return tree.text;
  if (tree.kind === 'sequence') return `(${tree.parts.map(textOf).join(' ')})`;
  if (tree.kind === 'choice') return `(${tree.parts.map(textOf).join('|')})`;
  return `(${textOf(tree.part)})${tree.sign}`;
}

function ends(tree: Tree, ases: readonly number[], from: number): Set<number> {
  if (tree.kind === 'one') return new Set(from < ases.length && tree.accepts(ases[from]) ? [from + 1] : []);
  if (tree.kind === 'anchor') return new Set(from === (tree.text === '^' ? 0 : ases.length) ? [from] : []);
  if (tree.kind === 'choice') return new Set(tree.parts.flatMap((part) => [...ends(part, ases, from)]));
  if (tree.kind === 'sequence') {
    let starts = [from];
    for (const part of tree.parts) starts = starts.flatMap((start) => [...ends(part, ases, start)]);
    return new Set(starts);
  }
  const reached = new Set(tree.sign === '+' ? [] : [from]);
  let fresh = [...ends(tree.part, ases, from)];
  if (tree.sign === '?') return new Set([...reached, ...fresh]);
  while (fresh.length > 0) {
    for (const end of fresh) reached.add(end);
    fresh = fresh.flatMap((end) => [...ends(tree.part, ases, end)]).filter((end) => !reached.has(end));
  }
  return reached;
}

const finds = (tree: Tree, ases: readonly number[]): boolean =>
  ases.some((_, start) => ends(tree, ases, start).size > 0) || ends(tree, ases, ases.length).size > 0;

const AS = fc.integer({ min: 1, max: 4 });
const leaf: fc.Arbitrary<Tree> = fc.oneof(
  AS.map((as): Tree => ({ kind: 'one', text: String(as), accepts: (other) => other === as })),
  fc.constant<Tree>({ kind: 'one', text: '.', accepts: () => true }),
  fc.tuple(AS, AS, fc.boolean()).map(([a, b, negated]): Tree => {
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    const inside = (as: number): boolean => as >= from && as <= to;
    const text = `[${negated ? '^' : ''}${from}-${to}]`;
    return { kind: 'one', text, accepts: (as) => inside(as) !== negated };
  }),
  fc.constantFrom('^' as const, '$' as const).map((text): Tree => ({ kind: 'anchor', text })),
);
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc
      .tuple(
        fc.constantFrom('sequence' as const, 'choice' as const),
        fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
      )
      .map(([kind, parts]): Tree => ({ kind, parts })),
    fc
      .tuple(fc.constantFrom('*' as const, '+' as const, '?' as const), tie('tree'))
      .map(([sign, part]): Tree => ({ kind: 'repeat', sign, part })),
  ),
}));

describe('AS path patterns', () => {
  const table: [string, number[], boolean][] = [
    ['65001', [65001], true],
    ['65001', [1, 65001, 2], true],
    ['65001', [165001], false],
    ['65001', [65, 1], false],
    ['^65001', [1, 65001], false],
    ['65001$', [65001, 1], false],
    ['^$', [], true],
    ['^$', [1], false],
    ['', [], true],
    ['', [7, 8], true],
    ['^.$', [7], true],
    ['^. .$', [7], false],
    ['^65001 [64512-65534 23456]* 7$', [65001, 64512, 23456, 65534, 7], true],
    ['^65001 [64512-65534]* 7$', [65001, 23456, 7], false],
    ['^[^64512-65534]+$', [1, 2, 3], true],
    ['^[^64512-65534]+$', [1, 64512, 3], false],
    ['^(1 2|3)+$', [1, 2, 3, 1, 2], true],
    ['^(1 2|3)+$', [1, 3], false],
    ['^1?2$', [2], true],
    ['^_1_2_$', [1, 2], true],
    ['^4294967295$', [4294967295], true],
    ['(^1|2$)', [1, 3], true],
    ['(^1|2$)', [3, 1], false],
  ];
  for (const [text, ases, expected] of table) {
    it(`${JSON.stringify(text)} is ${expected ? '' : 'not '}found in ${JSON.stringify(ases)}`, () => {
      assert.equal(new AsPathPattern(text).test(path(...ases)), expected);
    });
  }

  it('treats a set as one element, which matches when one of its members does', () => {
    const pattern = new AsPathPattern('^1 [5-6] 2$');
    assert.equal(pattern.test([[1], [9, 5], [2]]), true);
    assert.equal(pattern.test([[1], [9, 8], [2]]), false);
    assert.equal(pattern.test([[1], [5], [6], [2]]), false);
  });

  it('agrees with a matcher that tries every possibility', () => {
    fc.assert(
      fc.property(tree, fc.array(AS, { maxLength: 6 }), (pattern, ases) => {
        const text = textOf(pattern);
        fc.pre(text.length <= 1024);
        assert.equal(new AsPathPattern(text).test(path(...ases)), finds(pattern, ases), text);
      }),
      { numRuns: 2000 },
    );
  });

  it('takes linear time for patterns that a backtracking matcher never finishes', () => {
    const pattern = new AsPathPattern(`^${'(1*)*'.repeat(20)}2$`);
    assert.equal(pattern.test(path(...new Array(2000).fill(1))), false);
  });

  const errors: [string, RegExp][] = [
    ['(1', /character 3: "\)" is missing/],
    ['1)', /character 2: "\)" has no opening parenthesis/],
    ['*', /character 1: "\*" has nothing to repeat before it/],
    ['1**', /character 3: this repeats what is repeated/],
    ['[', /character 2: an AS number is missing/],
    ['[]', /the set is empty/],
    ['[5-3]', /the range 5-3 is reversed/],
    ['4294967296', /too large for an AS number \(at most 4294967295\)/],
    ['1a', /character 2: "a" is neither an AS number nor an operator/],
    ['('.repeat(70), /nested more than 64 deep/],
    ['1 '.repeat(600), /more than 1024 characters/],
  ];
  for (const [text, expected] of errors) {
    it(`${text.slice(0, 20)} is refused with ${expected.source}`, () => {
      assert.throws(
        () => new AsPathPattern(text),
        (error: Error) => {
          assert.ok(error instanceof SyntaxError);
          return expected.test(error.message);
        },
      );
    });
  }
});
