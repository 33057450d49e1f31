/** The adapters by kind, and the versions of the routers. */

import { must } from '../../lab/processes.ts';
import { BirdRouter } from './bird.ts';
import { ExabgpRouter } from './exabgp.ts';
import { FrrRouter } from './frr.ts';
import { GobgpRouter } from './gobgp.ts';
import { OpenbgpdRouter } from './openbgpd.ts';
import type { Router, RouterKind, RouterPlace, RouterPlan } from './router.ts';

/** Names of the routers. */
export const ROUTER_NAMES: Record<RouterKind, string> = {
  bird: 'BIRD',
  frr: 'FRR',
  gobgp: 'GoBGP',
  openbgpd: 'OpenBGPD',
  exabgp: 'ExaBGP',
};

const packages: Record<RouterKind, string> = {
  bird: 'bird2',
  frr: 'frr',
  gobgp: 'gobgpd',
  openbgpd: 'openbgpd',
  exabgp: 'exabgp',
};

const makers = {
  bird: BirdRouter,
  frr: FrrRouter,
  gobgp: GobgpRouter,
  openbgpd: OpenbgpdRouter,
  exabgp: ExabgpRouter,
};

/** Creates a router without starting it. */
export function createRouter(kind: RouterKind, plan: RouterPlan, place: RouterPlace): Router {
  return new makers[kind](plan, place);
}

/** The version of the Debian package that a kind comes from. */
export async function versionOf(kind: RouterKind): Promise<string> {
  return (await must('none', ['dpkg-query', '-W', '-f', '$'.concat('{Version}'), packages[kind]])).trim();
}
