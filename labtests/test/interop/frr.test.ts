import { describeColumn } from './column.ts';

describeColumn('frr');
