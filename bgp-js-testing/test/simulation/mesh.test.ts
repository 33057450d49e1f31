import { testSeeds } from './seeds.ts';

testSeeds('mesh');
