import { testSeeds } from './seeds.ts';

testSeeds('fabric');
