/** The part of @bcoe/v8-coverage that is used here; the package brings no types along. */
declare module '@bcoe/v8-coverage' {
  /** A part of a source, in characters, and how often it ran. */
  export interface RangeCov {
    startOffset: number;
    endOffset: number;
    count: number;
  }

  export interface ScriptCov {
    url: string;
    /** The first range of a function is the function itself, the others are blocks in it. */
    functions: { functionName: string; ranges: RangeCov[]; isBlockCoverage: boolean }[];
  }

  export interface ProcessCov {
    result: ScriptCov[];
  }

  /** The counts of several processes together. */
  export function mergeProcessCovs(processes: readonly ProcessCov[]): ProcessCov;
}
