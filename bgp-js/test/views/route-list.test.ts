import assert from 'node:assert/strict';
import { seededRandom } from 'bgp-js-testing/index.ts';
import {
  listRoutes,
  type RouteFilter,
  routePage,
  routesMentioning,
  routesWithin,
  Speaker,
} from '../../index.ts';
import { parsePrefix } from '../../ip/index.ts';
import { parseRoute } from '../../wire/families.ts';

const random = seededRandom(5);
const below = (limit: number) => Math.floor(random() * limit);

/** Prefixes of both families, most of which agree in their first 16 bits or more. */
function somePrefixes(): string[] {
  const prefixes = new Set<string>();
  for (let i = 0; i < 1500; i++) prefixes.add(`10.244.${below(8)}.${below(64) * 4}/${30 + below(3)}`);
  for (let i = 0; i < 300; i++) prefixes.add(`${1 + below(9)}.${below(256)}.0.0/16`);
  for (let i = 0; i < 1200; i++)
    prefixes.add(`2001:db8:${below(4).toString(16)}:${below(400).toString(16)}::/64`);
  for (let length = 8; length <= 32; length++) prefixes.add(`20.0.0.0/${length}`);
  return [...prefixes];
}

describe('pages of the RIB', () => {
  const speaker = new Speaker(
    { as: 64512, routerId: '10.0.0.1', address: '10.0.0.1', maximumPaths: 1 },
    random,
  );
  const prefixes = somePrefixes();
  for (const [index, prefix] of prefixes.entries()) speaker.originate(prefix, { communities: [index] });
  for (const gone of prefixes.splice(0, 100)) speaker.withdraw(gone);
  while (speaker.hasWork) speaker.work(0);

  /** In order by address and length, IPv4 first; sorted without the RIB. */
  const expected = prefixes
    .map((prefix) => {
      const { family, nlri } = parseRoute(prefix)!;
      const address = [...nlri.subarray(1), ...new Array<number>(17).fill(0)].slice(0, 16);
      const key = [family.bits / 8, ...address, nlri[0]].map((octet) => octet.toString(16).padStart(2, '0'));
      return { key: key.join(''), text: family.format(nlri, 0) };
    })
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ text }) => text);

  it('are in the order of prefixes, for any offset and limit', () => {
    for (const [offset, limit] of [
      [0, 10_000],
      [0, 1],
      [700, 100],
      [1400, 700],
      [expected.length - 3, 50],
      [9999, 5],
    ]) {
      const { routes, total } = listRoutes(speaker, offset, limit);
      assert.equal(total, expected.length);
      assert.deepEqual(
        routes.map(({ prefix }) => prefix),
        expected.slice(offset, offset + limit),
        `${limit} from ${offset} on`,
      );
    }
  });

  it('have the routes from the offset to the limit and no others, across both families', () => {
    const small = new Speaker(
      { as: 64512, routerId: '10.0.0.1', address: '10.0.0.1', maximumPaths: 1 },
      random,
    );
    const all = ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16', '2001:db8:1::/48', '2001:db8:2::/48'];
    for (const prefix of all) small.originate(prefix);
    while (small.hasWork) small.work(0);
    for (let offset = 0; offset <= all.length + 1; offset++) {
      for (let limit = 0; limit <= all.length + 1; limit++) {
        const { routes, total } = listRoutes(small, offset, limit);
        const page = routes.map(({ prefix }) => prefix);
        assert.deepEqual(page, all.slice(offset, offset + limit), `${limit} from ${offset} on`);
        assert.equal(total, all.length);
      }
    }
  });

  it('can be limited to a prefix and its more specifics', () => {
    const texts = [
      '0.0.0.0/0',
      '20.0.0.0/8',
      '20.0.0.0/13',
      '20.0.0.0/32',
      '10.244.3.64/26',
      '10.244.0.0/17',
    ];
    for (const text of [
      ...texts,
      '::/0',
      '2001:db8:2::/47',
      '2001:db8:2:8::/62',
      '2001:db8:2:8::/64',
      '2001:db9::/32',
    ]) {
      const within = parsePrefix(text)!;
      const { routes, total } = listRoutes(speaker, 0, 10_000, routesWithin(within));
      const wanted = expected.filter((prefix) => within.covers(parsePrefix(prefix)!));
      assert.deepEqual(
        routes.map(({ prefix }) => prefix),
        wanted,
        text,
      );
      assert.equal(total, wanted.length);
    }
  });

  it('are found in small pieces', () => {
    let looked = 0;
    let most = 0;
    const filter: RouteFilter = () => {
      looked++;
      return true;
    };
    const pieces = routePage(speaker, 1000, 100, filter);
    let count = 0;
    for (let step = pieces.next(); !step.done; step = pieces.next()) {
      most = Math.max(most, looked);
      looked = 0;
      count++;
    }
    assert.ok(most <= 256, `${most} prefixes in one piece`);
    assert.ok(count > expected.length / 256);
  });

  it('show the present routes when some are withdrawn between the pieces', () => {
    const gone = expected.slice(0, 20);
    const pieces = routePage(speaker, 0, 40);
    // The selection is complete after these pieces.
    for (let i = 0; i < 14; i++) assert.equal(pieces.next().done, false);
    for (const prefix of gone) speaker.withdraw(prefix);
    while (speaker.hasWork) speaker.work(0);
    let step = pieces.next();
    while (!step.done) step = pieces.next();
    const exported = step.value.routes.map(({ prefix }) => prefix);
    assert.ok(
      exported.every((prefix) => !gone.includes(prefix)),
      'nothing that has gone',
    );
    assert.ok(exported.every((prefix) => expected.includes(prefix)));
    for (const prefix of gone) speaker.originate(prefix);
    while (speaker.hasWork) speaker.work(0);
  });

  it('can be limited to what mentions a text', () => {
    const mentioned = (text: string) =>
      listRoutes(speaker, 0, 10_000, routesMentioning(speaker, text)).routes.map(({ prefix }) => prefix);
    assert.deepEqual(
      mentioned('DB8:3:1'),
      expected.filter((prefix) => prefix.includes('db8:3:1')),
    );
    const ipv4 = expected.filter((prefix) => !prefix.includes(':'));
    assert.equal(mentioned('10.0.0.1').length, ipv4.length, 'the next hop of all IPv4 routes');
    assert.equal(mentioned('local').length, expected.length, 'the name of their source');
    assert.deepEqual(mentioned('nowhere'), []);
  });
});
