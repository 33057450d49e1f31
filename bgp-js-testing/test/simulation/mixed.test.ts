import { testSeeds } from './seeds.ts';

testSeeds('mixed');
