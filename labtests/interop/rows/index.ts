/** All rows of the matrix, in order. */

import { basics } from './basics.ts';
import { endings } from './endings.ts';
import type { Row } from './row.ts';
import { security } from './security.ts';

export const ROWS: readonly Row[] = [...basics, ...endings, ...security];
