import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';

interface Priorities {
  refusal: string | null;
  lowered: number;
  helpers: number[];
  main: number;
  /** Null where the kernel does not weigh sessions. */
  session: number | null;
}

/** What a process makes of its priorities that is started like this. */
async function priorities({ nice = 0, user = '', detached = true }): Promise<Priorities> {
  const program = join(import.meta.dirname, 'priority-child.ts');
  const child = spawn(process.execPath, ['--v8-pool-size=2', program, String(nice), user], {
    detached,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [told] = await Promise.all([json(child.stdout), once(child, 'close')]);
  return told as Priorities;
}

const weighed = (nice: number): number | null => (existsSync('/proc/self/autogroup') ? nice : null);

describe("the reflector's priority", () => {
  it('is that of a routing protocol, also of its session; helper threads give way', async () => {
    assert.deepEqual(await priorities({}), {
      refusal: null,
      lowered: 2,
      helpers: [19, 19],
      main: -5,
      session: weighed(-5),
    });
  });

  it("leaves another's session as it is", async () => {
    const { main, session } = await priorities({ detached: false });
    assert.equal(main, -5);
    assert.notEqual(session, -5);
  });

  it('stays what it was started with', async () => {
    const { refusal, main, session } = await priorities({ nice: 3 });
    assert.deepEqual([refusal, main, session], [null, 3, weighed(0)]);
  });

  it('stays as it is without the right to raise it, and tells why', async () => {
    const { refusal, main, lowered } = await priorities({ user: '65534' });
    assert.match(refusal ?? '', /permission|denied|not permitted/i);
    assert.deepEqual([main, lowered], [0, 2]);
  });
});
