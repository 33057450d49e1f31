import { describeColumn } from './column.ts';

describeColumn('bird');
