/** Plays a case on a stage and compares the outcome with the required reaction. */
import assert from 'node:assert/strict';
import { greeting, openBytes } from 'bgp-js-testing/index.ts';
import { peerStatuses } from '../../views/peer-view.ts';
import type { PathInfo } from '../../views/route-view.ts';
import { routeCounts, routeTo } from '../../views/route-view.ts';
import { eachAttribute } from '../../wire/attribute-types.ts';
import {
  AS_PATH,
  attribute,
  type HostileCase,
  LOCAL_PREF,
  NEXT_HOP,
  nlri,
  ORIGIN,
  pathOf,
  type Reaction,
  TARGET,
  update,
  validOpen,
} from './hostile-case.ts';
import { ATTACKER, type Stage, type StageConnection, WITNESS, WITNESS_AS } from './stage.ts';

const SENTINEL = '203.0.113.0/24';
const WITNESSED = '203.0.114.0/24';
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const key = (prefix: string): string => hex(nlri(prefix));

/** The outcome of a case. */
interface Outcome {
  /** A summary for the table. */
  text: string;
  notification: { code: number; subcode: number; data: Uint8Array } | null;
  closed: boolean;
  /** The attacker's path to TARGET in the RIB. */
  path: PathInfo | null;
  /** The attributes of TARGET as the other session received them; null: it has no such route. */
  advertised: Uint8Array | null;
  treatedAsWithdraw: number;
  discarded: number;
}

/** Plays the case. Resolves with a summary of the outcome; rejects when the reaction is not the required one. */
export async function play(test: HostileCase, stage: Stage): Promise<string> {
  const witness = await stage.connect(WITNESS);
  witness.send(greeting(openBytes(WITNESS_AS, { identifier: 0x0a000008 })));
  await stage.until(() => (witness.end.counts.keepalive ?? 0) > 0, 'the other session is established');
  const attacker = await stage.connect(ATTACKER);
  await prepare(test, stage, attacker, witness);
  for (const bytes of test.send) attacker.send(bytes);
  const ends = test.expect.every(({ kind }) => kind === 'reset' || kind === 'close');
  if (!ends) attacker.send(validUpdate(test, SENTINEL));
  await stage.until(
    () => attacker.end.closed || (!ends && witness.end.routes.has(key(SENTINEL))),
    ends ? 'the session ends' : 'the session ends or passes on a sentinel route',
  );
  if (attacker.end.closed)
    await stage.until(() => !witness.end.routes.has(key(TARGET)), 'its routes are withdrawn');
  const outcome = observe(stage, attacker, witness);
  validate(test, outcome);
  await aftermath(test, stage, attacker, witness);
  return outcome.text;
}

function validUpdate({ ibgp, twoOctet }: HostileCase, prefix: string): Uint8Array {
  if (ibgp) return update([ORIGIN, attribute(0x40, 2), NEXT_HOP, LOCAL_PREF], nlri(prefix));
  const twoOctetPath = attribute(0x40, 2, 2, 1, AS_PATH[7], AS_PATH[8]);
  return update([ORIGIN, twoOctet ? twoOctetPath : AS_PATH, NEXT_HOP], nlri(prefix));
}

/** Brings the attacker's session to the state in which the case starts. */
async function prepare(
  test: HostileCase,
  stage: Stage,
  attacker: StageConnection,
  witness: StageConnection,
): Promise<void> {
  const { counts, routes } = { counts: attacker.end.counts, routes: witness.end.routes };
  await stage.until(() => (counts.open ?? 0) > 0, 'OpenSent');
  if (test.state === 'OpenSent') return;
  if (test.state === 'OpenConfirm') {
    attacker.send(validOpen(test));
    await stage.until(() => (counts.keepalive ?? 0) > 0, 'OpenConfirm');
    return;
  }
  attacker.send(greeting(validOpen(test)));
  attacker.send(validUpdate(test, TARGET));
  await stage.until(() => routes.has(key(TARGET)), 'the attacked route arrives');
}

function observe(stage: Stage, attacker: StageConnection, witness: StageConnection): Outcome {
  const { notification, closed } = attacker.end;
  const status = peerStatuses(stage.speaker, 0).find(({ address }) => address === ATTACKER);
  const path = routeTo(stage.speaker, TARGET)?.paths.find(({ source }) => source.name === 'attacker') ?? null;
  const advertised = witness.end.routes.get(key(TARGET));
  const outcome = {
    notification,
    closed,
    path,
    advertised: advertised === undefined ? null : new Uint8Array(Buffer.from(advertised, 'hex')),
    treatedAsWithdraw: status?.counters.treatedAsWithdraw ?? 0,
    discarded: status?.counters.attributesDiscarded ?? 0,
  };
  return { ...outcome, text: inWords(outcome) };
}

function inWords({
  notification,
  closed,
  path,
  treatedAsWithdraw,
  discarded,
}: Omit<Outcome, 'text'>): string {
  if (closed) return notification ? `NOTIFICATION ${notification.code}/${notification.subcode}` : 'closed';
  if (treatedAsWithdraw > 0) return path ? 'error recorded, route kept' : 'treated as withdraw';
  if (discarded > 0) return path ? 'attribute discarded' : 'attribute discarded, route gone';
  if (!path) return 'no route';
  return path.status === 'unusable' ? `unusable: ${path.reason}` : 'accepted';
}

function validate(test: HostileCase, outcome: Outcome): void {
  const problems = test.expect.map((reaction) => problemWith(reaction, outcome));
  if (problems.includes(null)) return;
  assert.fail(`${test.what}: ${problems.join('; ')}; seen: ${outcome.text}`);
}

/** Null when the outcome is this reaction. */
function problemWith(reaction: Reaction, outcome: Outcome): string | null {
  const { notification, closed, path, advertised } = outcome;
  const stays = !closed && notification === null;
  switch (reaction.kind) {
    case 'reset': {
      const { code, subcode, data } = reaction;
      if (!closed || notification?.code !== code || notification.subcode !== subcode)
        return `not ${code}/${subcode}`;
      return !data || hex(notification.data) === hex(Uint8Array.from(data))
        ? null
        : `data ${hex(notification.data)}`;
    }
    case 'close':
      return closed && notification === null ? null : 'not closed without a NOTIFICATION';
    case 'treat-as-withdraw':
      if (outcome.treatedAsWithdraw !== 1)
        return `${outcome.treatedAsWithdraw} messages were treated as withdraw`;
      return stays && !path && !advertised ? null : 'the route still exists';
    case 'discard': {
      if (outcome.discarded !== 1) return `${outcome.discarded} messages had an attribute discarded`;
      if (!stays || path?.status !== 'best' || !advertised) return 'the route is not used';
      return holds(path, advertised, reaction.without) ? `${reaction.without} still exists` : null;
    }
    case 'unusable':
      if (path?.status !== 'unusable' || advertised) return 'the route is used or gone';
      return reaction.reason.test(path.reason) ? null : `unusable for another reason: ${path.reason}`;
    case 'accept':
      return stays && path?.status === 'best' && advertised
        ? differences(reaction, path, advertised)
        : 'the route is not used';
  }
}

function holds({ attributes }: PathInfo, advertised: Uint8Array, which: string | number): boolean {
  if (typeof which === 'string') return which in attributes;
  const inRib = attributes.others?.some(({ type }) => type === which) ?? false;
  return inRib || attributesOf(advertised).has(which);
}

function attributesOf(bytes: Uint8Array): Map<number, string> {
  const found = new Map<number, string>();
  eachAttribute(bytes, 0, bytes.length, (type, _flags, _from, to, at) => {
    found.set(type, hex(bytes.subarray(at, to)));
  });
  return found;
}

function differences(
  reaction: Reaction & { kind: 'accept' },
  path: PathInfo,
  advertised: Uint8Array,
): string | null {
  for (const [name, value] of Object.entries(reaction.attributes ?? {})) {
    const found = path.attributes[name as keyof typeof path.attributes];
    if (found !== value) return `${name} is ${String(found)}, not ${String(value)}`;
  }
  const { dropped, passedOn } = reaction;
  if (dropped !== undefined && holds(path, advertised, dropped)) return `attribute ${dropped} still exists`;
  if (passedOn && attributesOf(advertised).get(passedOn[1]) !== hex(passedOn))
    return 'the attribute is not passed on as required';
  return null;
}

/** Checks that the other session is up, that routes arrive on both, and that the RIB holds no unused data. */
async function aftermath(
  test: HostileCase,
  stage: Stage,
  attacker: StageConnection,
  witness: StageConnection,
): Promise<void> {
  assert.ok(!witness.end.closed, 'the other session is still up');
  assert.deepEqual(witness.end.complaints, [], 'the other session receives valid messages');
  witness.send(update([ORIGIN, pathOf(WITNESS_AS), NEXT_HOP], nlri(WITNESSED)));
  await stage.until(
    () => routeTo(stage.speaker, WITNESSED) !== null,
    'a sentinel route of the other session arrives',
  );
  if (attacker.end.closed) {
    const again = await stage.connect(ATTACKER);
    again.send(greeting(validOpen(test)));
    again.send(validUpdate(test, SENTINEL));
  }
  await stage.until(
    () => witness.end.routes.has(key(SENTINEL)),
    'the attacked session passes on a sentinel route',
  );
  const { prefixes, attributeSets } = routeCounts(stage.speaker);
  assert.ok(
    prefixes <= 4 && attributeSets <= 4,
    `${prefixes} prefixes and ${attributeSets} attribute sets are held`,
  );
}
