import { describeColumn } from './column.ts';

describeColumn('gobgp');
