/** Evidence that a router lacks something. */

import assert from 'node:assert/strict';
import type { InteropBench } from '../bench.ts';
import { ROUTER_NAMES } from '../peers/index.ts';
import type { SessionPlan } from '../session-plan.ts';
import type { Lack } from './row.ts';

/** The router's OPEN in a session of this plan does not name a capability, by the name that bgp-js gives it. */
export function notInOpen(capability: string, plan: SessionPlan): Lack {
  return async (bench: InteropBench) => {
    await bench.bring(plan);
    const { capabilities } = await bench.speaker.peer();
    assert.ok(capabilities.length > 0 && !capabilities.includes(capability), capabilities.join(', '));
    return `The OPEN of ${ROUTER_NAMES[bench.kind]} names no ${capability}, only: ${capabilities.join(', ')}.`;
  };
}
