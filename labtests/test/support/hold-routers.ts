/** Starts the lab of three routers and keeps it up, for tests that kill it. Prints `up ID` when the lab is up. */

import { Lab } from '../../lab/lab.ts';
import { stopOnSignals } from '../../lab/signals.ts';
import { threeRouters } from '../../topologies/three-routers.ts';

const lab = new Lab(threeRouters, (step) => process.stdout.write(`${step}\n`));
process.stdout.write(`registered ${lab.id}\n`);
stopOnSignals(() => lab.stop());
await lab.start().catch((error: Error) => {
  if (!lab.stopping) throw error;
});
if (!lab.stopping) process.stdout.write(`up ${lab.id}\n`);
setInterval(() => {}, 1 << 30);
