/** Ends of sessions: shutdown messages, limits, silence. */

import assert from 'node:assert/strict';
import { until } from '../../lab/wait.ts';
import type { InteropBench } from '../bench.ts';
import { OUR_PREFIX, routerReports, THEIR_PREFIX, theyHave, weHave } from './basics.ts';
import type { MatrixRow } from './row.ts';

const MESSAGE = 'rack 7 moves, back at noon';

/** Waits for a reason of ours for a session's end that matches; returns it. The next attempt soon replaces the last error. */
async function weTell(bench: InteropBench, pattern: RegExp): Promise<string> {
  return until(`our reason to match ${pattern}`, async () => {
    const reasons = (await bench.speaker.events()).map((event) =>
      event.type === 'down' ? event.reason : '',
    );
    const found = reasons.find((reason) => pattern.test(reason));
    if (found !== undefined) return found;
    throw new Error(`the reasons were "${reasons.filter((reason) => reason !== '').join('", "')}"`);
  });
}

const manyPrefixes = (net: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ prefix: `10.${net}.${index}.0/24` }));

async function weSaySo(bench: InteropBench): Promise<void> {
  await bench.bring({ type: 'eBGP' });
  await bench.speaker.stop(MESSAGE);
  await routerReports(bench, new RegExp(MESSAGE));
}

async function theySaySo(bench: InteropBench): Promise<void> {
  await bench.bring({ type: 'eBGP' });
  const said = await bench.router.shutdown(MESSAGE);
  assert.match(
    await weTell(bench, /received NOTIFICATION/),
    new RegExp(`"${said}" \\(received NOTIFICATION 6/2\\)`),
  );
}

async function theySendTooMany(bench: InteropBench): Promise<void> {
  await bench.bring({ type: 'eBGP', announce: [{ prefix: THEIR_PREFIX }], ours: { maximumPrefixes: 3 } });
  await weHave(bench, THEIR_PREFIX);
  for (const route of manyPrefixes(22, 3)) await bench.router.announce(route);
  await weTell(bench, /maximum.*we sent NOTIFICATION 6\/1/i);
  await routerReports(bench, /max(imum)?[ -](number of )?prefix|code 6.*subcode 1|6, ?1\b|6\/1/i);
  assert.deepEqual(await bench.speaker.routes(), []);
}

// FRR checks the count before it adds a route, so the fifth is the first too many.
async function weSendTooMany(bench: InteropBench): Promise<void> {
  await bench.bring({ type: 'eBGP', originate: [{ prefix: OUR_PREFIX }], theirs: { maximumPrefixes: 3 } });
  await theyHave(bench, OUR_PREFIX);
  for (const { prefix } of manyPrefixes(21, 5)) await bench.speaker.originate(prefix);
  await weTell(bench, /maximum.*received NOTIFICATION 6\/1/i);
}

async function silence(bench: InteropBench): Promise<void> {
  await bench.bring({ type: 'eBGP', holdTime: 3, announce: [{ prefix: THEIR_PREFIX }] });
  await weHave(bench, THEIR_PREFIX);
  assert.equal((await bench.speaker.peer()).holdTime, 3);
  await bench.cut();
  await weTell(bench, /hold timer expired.*NOTIFICATION 4\/0/i);
  await routerReports(bench, /hold ?timer ?expired|hold timer/i);
  assert.deepEqual(await bench.speaker.routes(), []);
  await bench.restore();
}

/** Shows that ExaBGP's parser does not know a keyword. */
async function exabgpKnowsNoLimit(bench: InteropBench): Promise<string> {
  const words = await bench.runIn('peer', ['man', '-P', 'cat', 'exabgp.conf']).catch(() => '');
  assert.doesNotMatch(words, /maximum-prefix|prefix-limit/);
  const found = await bench.runIn('peer', [
    'sh',
    '-c',
    'grep -rlwEi "max(imum)?[-_ ]?prefix(es)?" /usr/lib/python3/dist-packages/exabgp --include=*.py | wc -l',
  ]);
  assert.equal(found.trim(), '0');
  return (
    'ExaBGP keeps no table and has no such setting: `grep -rlwEi "max(imum)?[-_ ]?prefix(es)?" ' +
    '/usr/lib/python3/dist-packages/exabgp` finds 0 files.'
  );
}

/** ExaBGP concatenates text and octets when it reads the message, fails, and calls our NOTIFICATION malformed. */
async function exabgpCannotRead(bench: InteropBench): Promise<string> {
  await bench.bring({ type: 'eBGP' });
  await bench.speaker.stop(MESSAGE);
  const complaint = /can not decode update message of type [^"]*"3/;
  await routerReports(bench, complaint);
  assert.doesNotMatch(await bench.router.report(), new RegExp(MESSAGE));
  const what = complaint.exec(await bench.router.report())?.[0].replaceAll('\\', '');
  return `ExaBGP fails on every NOTIFICATION 6/2 with a text, and answers it with 1/0: ${what}".`;
}

export const endings: MatrixRow[] = [
  {
    name: 'shutdown-ours',
    title: 'our shutdown message (RFC 9003) is shown by the peer',
    run: weSaySo,
    lacks: { exabgp: exabgpCannotRead },
  },
  {
    name: 'shutdown-peer',
    title: "the peer's shutdown message (RFC 9003) is shown by us",
    run: theySaySo,
  },
  {
    name: 'limit-ours',
    title: 'the peer sends more prefixes than we allow: Cease 6/1 from us',
    run: theySendTooMany,
  },
  {
    name: 'limit-peer',
    title: 'we send more prefixes than the peer allows: Cease 6/1 from the peer',
    run: weSendTooMany,
    lacks: { exabgp: exabgpKnowsNoLimit },
  },
  {
    name: 'hold',
    title: 'silence ends the session by the hold timer, on both sides',
    run: silence,
  },
];
