import { describeColumn } from './column.ts';

describeColumn('exabgp');
