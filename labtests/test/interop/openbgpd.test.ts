import { describeColumn } from './column.ts';

describeColumn('openbgpd');
