import { testSeeds } from './seeds.ts';

testSeeds('reflection');
