/**
 * Patterns over the AS numbers of a path, not over their digits: `65001` matches that AS, `.` any AS, `[64512-65534
 * 23456]` one of a set, `[^65001]` one outside a set; `*`, `+` and `?` repeat, `|` chooses, parentheses group, `^` and `$`
 * are the ends of the path. Numbers are separated by spaces or underscores. A pattern without anchors matches anywhere.
 *
 * A pattern is compiled to a nondeterministic automaton, and all of its states are followed at once. So the time is
 * linear in the length of the path for every pattern, while a backtracking matcher takes exponential time for some.
 */

/** An AS_PATH for matching: one element for each AS of a sequence, one with all its members for a set. */
export type AsPathElements = readonly (readonly number[])[];

/** The AS numbers that match one element of a path. */
interface Atom {
  negated: boolean;
  /** First and last of each range; none and negated: any. */
  ranges: readonly (readonly [number, number])[];
}

/** A state consumes an element (`atom`), requires an end of the path (`begin`, `end`), forks, or is final (`match`). */
type State =
  | { type: 'atom'; atom: Atom; next: number }
  | { type: 'begin' | 'end'; next: number }
  | { type: 'fork'; next: number; other: number }
  | { type: 'match' };

/** The longest pattern, in characters; bounds its states, and so the work for each element. */
const LONGEST = 1024;
const DEEPEST = 64;
const MATCH = 0;

/** A compiled pattern. */
export class AsPathPattern {
  readonly text: string;
  private readonly states: readonly State[];
  private readonly start: number;

  /** Compiles a pattern. Throws SyntaxError that says where the mistake is, and why. */
  constructor(text: string) {
    const { states, start } = new Parser(text).parse();
    this.text = text;
    this.states = states;
    this.start = start;
  }

  /** Whether the pattern matches the path or a part of it. */
  test(path: AsPathElements): boolean {
    let current = new Set<number>();
    for (let at = 0; at <= path.length; at++) {
      // A match may begin at any element.
      this.enter(this.start, at, path.length, current);
      if (current.has(MATCH)) return true;
      if (at === path.length) return false;
      const following = new Set<number>();
      for (const index of current) {
        const state = this.states[index];
        if (state.type === 'atom' && accepts(state.atom, path[at])) {
          this.enter(state.next, at + 1, path.length, following);
        }
      }
      current = following;
    }
    return false;
  }

  /** Adds a state and all that it leads to without an element. A stack instead of recursion, as chains may be long. */
  private enter(first: number, at: number, length: number, into: Set<number>): void {
    const stack = [first];
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      if (into.has(index)) continue;
      into.add(index);
      const state = this.states[index];
      if (state.type === 'fork') stack.push(state.next, state.other);
      else if (state.type === 'begin' && at === 0) stack.push(state.next);
      else if (state.type === 'end' && at === length) stack.push(state.next);
    }
  }
}

function accepts({ negated, ranges }: Atom, members: readonly number[]): boolean {
  return members.some((as) => ranges.some(([from, to]) => as >= from && as <= to) !== negated);
}

/** The syntax tree of a pattern. States are built from its end, because each names the one that follows. */
type Node =
  | { type: 'atom'; atom: Atom }
  | { type: 'begin' | 'end' }
  | { type: 'sequence' | 'choice'; parts: Node[] }
  | { type: '*' | '+' | '?'; part: Node };

/** A recursive descent parser. */
class Parser {
  private readonly text: string;
  private at = 0;
  private depth = 0;
  private readonly states: State[] = [{ type: 'match' }];

  constructor(text: string) {
    this.text = text;
  }

  /** The states of the automaton, and the first of them. */
  parse(): { states: readonly State[]; start: number } {
    if (this.text.length > LONGEST) this.fail(`the pattern has more than ${LONGEST} characters`);
    const tree = this.choice();
    if (this.at < this.text.length) this.fail(`"${this.text[this.at]}" has no opening parenthesis`);
    return { start: this.build(tree, MATCH), states: this.states };
  }

  private fail(reason: string): never {
    throw new SyntaxError(`at character ${this.at + 1}: ${reason}`);
  }

  private peek(): string {
    while (/[\s_]/.test(this.text[this.at] ?? '')) this.at++;
    return this.text[this.at] ?? '';
  }

  private choice(): Node {
    const parts = [this.sequence()];
    while (this.peek() === '|') {
      this.at++;
      parts.push(this.sequence());
    }
    return parts.length === 1 ? parts[0] : { type: 'choice', parts };
  }

  private sequence(): Node {
    const parts: Node[] = [];
    for (let next = this.peek(); next !== '' && next !== '|' && next !== ')'; next = this.peek()) {
      parts.push(this.repeated());
    }
    return { type: 'sequence', parts };
  }

  private repeated(): Node {
    const part = this.single();
    const sign = this.peek();
    if (sign !== '*' && sign !== '+' && sign !== '?') return part;
    this.at++;
    if (['*', '+', '?'].includes(this.peek())) this.fail('this repeats what is repeated already');
    return { type: sign, part };
  }

  private single(): Node {
    const next = this.peek();
    if (/\d/.test(next)) {
      const as = this.number();
      return { type: 'atom', atom: { negated: false, ranges: [[as, as]] } };
    }
    if (next === '[') return { type: 'atom', atom: this.set() };
    if (next === '(') return this.group();
    if (['*', '+', '?'].includes(next)) this.fail(`"${next}" has nothing to repeat before it`);
    if (next === '.' || next === '^' || next === '$') {
      this.at++;
      if (next === '.') return { type: 'atom', atom: { negated: true, ranges: [] } };
      return { type: next === '^' ? 'begin' : 'end' };
    }
    return this.fail(`"${next}" is neither an AS number nor an operator`);
  }

  private group(): Node {
    this.at++;
    if (++this.depth > DEEPEST) this.fail(`parentheses are nested more than ${DEEPEST} deep`);
    const inner = this.choice();
    this.depth--;
    if (this.peek() !== ')') this.fail('")" is missing');
    this.at++;
    return inner;
  }

  private set(): Atom {
    this.at++;
    const negated = this.peek() === '^';
    if (negated) this.at++;
    const ranges: [number, number][] = [];
    while (this.peek() !== ']') {
      if (this.peek() === ',') this.at++;
      const from = this.number();
      let to = from;
      if (this.peek() === '-') {
        this.at++;
        to = this.number();
      }
      if (to < from) this.fail(`the range ${from}-${to} is reversed`);
      ranges.push([from, to]);
    }
    if (ranges.length === 0) this.fail('the set is empty');
    this.at++;
    return { negated, ranges };
  }

  private number(): number {
    this.peek();
    const digits = /^\d+/.exec(this.text.slice(this.at))?.[0];
    if (digits === undefined) return this.fail('an AS number is missing');
    const as = Number(digits);
    if (as > 0xffffffff) this.fail(`${digits} is too large for an AS number (at most 4294967295)`);
    this.at += digits.length;
    return as;
  }

  /** Adds the states of a node that continue with state `next`; returns the first of them. */
  private build(node: Node, next: number): number {
    switch (node.type) {
      case 'atom':
        return this.add({ type: 'atom', atom: node.atom, next });
      case 'begin':
      case 'end':
        return this.add({ type: node.type, next });
      case 'sequence':
        return node.parts.reduceRight((following, part) => this.build(part, following), next);
      case 'choice':
        return node.parts
          .map((part) => this.build(part, next))
          .reduceRight((other, first) => this.add({ type: 'fork', next: first, other }));
      case '?':
        return this.add({ type: 'fork', next: this.build(node.part, next), other: next });
      default:
        return this.loop(node.part, node.type === '+', next);
    }
  }

  private loop(part: Node, once: boolean, next: number): number {
    const fork = { type: 'fork' as const, next: 0, other: next };
    const index = this.add(fork);
    fork.next = this.build(part, index);
    return once ? fork.next : index;
  }

  private add(state: State): number {
    return this.states.push(state) - 1;
  }
}
