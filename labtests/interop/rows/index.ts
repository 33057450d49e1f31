/** All rows of the matrix, in order. */

import { basics } from './basics.ts';
import { endings } from './endings.ts';
import { extensions } from './extensions.ts';
import { refresh } from './refresh.ts';
import { restart } from './restart.ts';
import type { MatrixRow } from './row.ts';
import { security } from './security.ts';

export const ROWS: readonly MatrixRow[] = [
  ...basics,
  ...refresh,
  ...extensions,
  ...restart,
  ...endings,
  ...security,
];
