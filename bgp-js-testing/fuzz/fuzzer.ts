/** The loop of the fuzzer: programs from seeds, checked, and made small when they show something. */
import { checkProgram } from './check-program.ts';
import { Dice } from './dice.ts';
import { validProgram } from './generate.ts';
import { mutateProgram } from './mutate.ts';
import type { Program } from './program.ts';

/** A program that does not hold what it must, as small as it could be made. */
export interface Finding {
  seed: number;
  program: Program;
  /** What does not hold. */
  text: string;
}

/** The program of a seed; one in eight is left valid. */
export function programOf(seed: number): Program {
  const dice = new Dice(seed);
  const program = validProgram(dice, 12);
  return dice.chance(0.125) ? program : mutateProgram(dice, program);
}

/** What the program shows, or null when all holds. `led`: told what the session came to. */
export function findingOf(program: Program, seed: number, led?: (what: string) => void): string | null {
  try {
    const what = checkProgram(program, seed);
    led?.(what);
    return null;
  } catch (error) {
    // Whatever is thrown is the finding: nothing may throw for what a peer sends.
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** Checks the program of one seed; null when all holds. */
export function fuzzOne(seed: number, led?: (what: string) => void): Finding | null {
  const program = programOf(seed);
  if (findingOf(program, seed, led) === null) return null;
  const small = shrink(program, seed);
  return { seed, program: small, text: findingOf(small, seed) ?? 'it holds when it is run once more' };
}

/** Leaves out messages for as long as something still shows. */
function shrink(program: Program, seed: number): Program {
  let small = program;
  for (let i = small.messages.length - 1; i >= 0; i--) {
    const fewer = { ...small, messages: small.messages.toSpliced(i, 1) };
    if (findingOf(fewer, seed) !== null) small = fewer;
  }
  return small;
}
