/** The loop of the fuzzer: makes programs from seeds, checks them, and shrinks those that fail. */

import { Random } from '../simulator/random.ts';
import { checkProgram } from './check-program.ts';
import { validProgram } from './generate.ts';
import { mutateProgram } from './mutate.ts';
import type { Program } from './program.ts';

/** A failing program, as small as possible. */
export interface Finding {
  seed: number;
  program: Program;
  /** The error. */
  text: string;
}

/** The program of a seed; one in eight is left valid. */
export function programOf(seed: number): Program {
  const random = new Random(seed);
  const program = validProgram(random, 12);
  return random.chance(0.125) ? program : mutateProgram(random, program);
}

/** The error of the program, or null. `led` gets how the session ended. */
export function findingOf(program: Program, seed: number, led?: (what: string) => void): string | null {
  try {
    const what = checkProgram(program, seed);
    led?.(what);
    return null;
  } catch (error) {
    // Any exception is a finding: nothing that a peer sends may make the speaker throw.
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** Checks the program of one seed; null when it passes. */
export function fuzzOne(seed: number, led?: (what: string) => void): Finding | null {
  const program = programOf(seed);
  if (findingOf(program, seed, led) === null) return null;
  const small = shrink(program, seed);
  return { seed, program: small, text: findingOf(small, seed) ?? 'it passes when run again' };
}

/** Removes messages as long as the program still fails. */
function shrink(program: Program, seed: number): Program {
  let small = program;
  for (let i = small.messages.length - 1; i >= 0; i--) {
    const fewer = { ...small, messages: small.messages.toSpliced(i, 1) };
    if (findingOf(fewer, seed) !== null) small = fewer;
  }
  return small;
}
