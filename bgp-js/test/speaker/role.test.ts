/** BGP roles, and the attribute OTC, Only to Customer (RFC 9234). */
import assert from 'node:assert/strict';
import { type PeerOptions, routeTo } from '../../index.ts';
import { KEEPALIVE } from '../../wire/index.ts';
import type { Role } from '../../wire/role.ts';
import { hex } from '../wire/bytes.ts';
import { Bench, type HandPeer } from './bench.ts';

const PREFIX = '192.0.2.0/24';
const AS4 = { code: 65, value: hex('0000fde9') };
const said = (...values: string[]) => ({
  capabilities: [AS4, ...values.map((v) => ({ code: 9, value: hex(v) }))],
});

/** The speaker's answer to an OPEN of AS 65001 with these capabilities. */
function answer(fields: Partial<PeerOptions>, open: ReturnType<typeof said>): string {
  const bench = new Bench();
  const peer = bench.peer('10.0.0.2', { as: 65001, ...fields });
  peer.connect();
  peer.takeMessages();
  peer.send(peer.open(open));
  return peer.received().join();
}

describe('the role capability', () => {
  const VALUES: Record<Role, string> = {
    provider: '00',
    'rs-server': '01',
    'rs-client': '02',
    customer: '03',
    peer: '04',
  };
  const PAIRS = [
    'provider/customer',
    'customer/provider',
    'peer/peer',
    'rs-server/rs-client',
    'rs-client/rs-server',
  ];
  for (const ours of Object.keys(VALUES) as Role[]) {
    for (const theirs of Object.keys(VALUES) as Role[]) {
      const fits = PAIRS.includes(`${ours}/${theirs}`);
      it(`we ${ours}, the peer ${theirs}: ${fits ? 'fits' : '2/11'}`, () => {
        assert.equal(answer({ role: ours }, said(VALUES[theirs])), fits ? 'keepalive' : 'notification 2/11');
      });
    }
    it(`is sent: ${ours} is ${VALUES[ours]}`, () => {
      const bench = new Bench();
      const peer = bench.peer('10.0.0.2', { as: 65001, role: ours });
      peer.connect();
      const [open] = peer.takeMessages();
      assert.ok(open.type === 'open');
      const role = open.open.capabilities.find(({ code }) => code === 9);
      assert.deepEqual(role?.value, hex(VALUES[ours]));
    });
  }

  const ROWS: [string, Partial<PeerOptions>, ReturnType<typeof said>, string][] = [
    ['the peer sends none', { role: 'provider' }, said(), 'keepalive'],
    [
      'the peer says none, and roles are strict',
      { role: 'provider', roleStrict: true },
      said(),
      'notification 2/11',
    ],
    ['the same one twice', { role: 'provider' }, said('03', '03'), 'keepalive'],
    ['two different ones', { role: 'provider' }, said('03', '04'), 'notification 2/11'],
    ['one that is not defined', { role: 'provider' }, said('05'), 'notification 2/11'],
    ['of length 0 it is ignored', { role: 'provider' }, said(''), 'keepalive'],
    ['of length 2 too', { role: 'provider', roleStrict: true }, said('0303'), 'notification 2/11'],
    ['with no role of ours, every role of the peer', {}, said('00'), 'keepalive'],
  ];
  for (const [title, fields, open, expected] of ROWS) {
    it(`${title}: ${expected}`, () => assert.equal(answer(fields, open), expected));
  }

  it('is neither sent nor checked on iBGP', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', { role: 'provider', roleStrict: true });
    peer.connect();
    const [open] = peer.takeMessages();
    assert.ok(open.type === 'open' && !open.open.capabilities.some(({ code }) => code === 9));
    peer.send(peer.open(), KEEPALIVE);
    assert.equal(bench.status(peer.address).state, 'Established');
  });

  it('is reported in words when it does not match', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', { as: 65001, role: 'customer' });
    peer.connect();
    peer.send(peer.open(said('03')));
    const text = bench.status(peer.address).lastError?.text ?? '';
    assert.match(
      text,
      /role mismatch, the peer's role is customer, which does not fit our role customer \(we sent NOTIFICATION 2\/11\)/,
    );
  });
});

describe('OTC of received routes', () => {
  const LEAK = /a route leak/;
  const ROWS: [Role | undefined, number | undefined, number | RegExp | undefined][] = [
    // Our role, the received OTC, and the resulting OTC or why the route is unusable.
    ['customer', undefined, 65001],
    ['customer', 7, 7],
    ['rs-client', undefined, 65001],
    ['rs-client', 7, 7],
    ['peer', undefined, 65001],
    ['peer', 65001, 65001],
    ['peer', 7, LEAK],
    ['provider', undefined, undefined],
    ['provider', 65001, LEAK],
    ['provider', 7, LEAK],
    ['rs-server', undefined, undefined],
    ['rs-server', 7, LEAK],
    [undefined, undefined, undefined],
    [undefined, 7, 7],
  ];
  for (const [role, onlyToCustomer, expected] of ROWS) {
    it(`we ${role ?? 'without a role'}, OTC ${onlyToCustomer ?? 'missing'}: ${expected ?? 'none'}`, () => {
      const bench = new Bench();
      const peer = bench.peer('10.0.0.2', { as: 65001, role }).establish();
      peer.announce([PREFIX], { onlyToCustomer });
      const path = routeTo(bench.speaker, PREFIX)?.paths[0];
      if (expected instanceof RegExp) {
        assert.equal(path?.status, 'unusable');
        assert.match(path?.reason ?? '', expected);
      } else assert.deepEqual([path?.status, path?.attributes.onlyToCustomer], ['best', expected]);
    });
  }

  it('withdraws the route if it is malformed', () => {
    const bench = new Bench();
    const peer = bench.peer('10.0.0.2', { as: 65001, role: 'customer' }).establish();
    peer.announce([PREFIX]);
    peer.announce([PREFIX], { others: [{ flags: 0xc0, type: 35, value: hex('fde9') }] });
    assert.equal(routeTo(bench.speaker, PREFIX), null);
    assert.equal(bench.status(peer.address).counters.treatedAsWithdraw, 1);
  });
});

describe('OTC of advertised routes', () => {
  /** OTC as advertised to a peer with our role `role`; null: the route is not advertised. */
  function advertised(
    role: Role | undefined,
    as: number,
    onlyToCustomer?: number,
  ): number | undefined | null {
    const bench = new Bench();
    const from = bench.peer('10.0.0.2').establish();
    const to: HandPeer = bench.peer('10.0.0.3', { as, role }).establish();
    from.announce([PREFIX], { onlyToCustomer, localPref: 100 });
    to.takeMessages();
    const route = to.routes.get(PREFIX);
    return route ? route.onlyToCustomer : null;
  }
  const ROWS: [Role | undefined, number | undefined, number | undefined | null][] = [
    ['provider', undefined, 64512],
    ['provider', 7, 7],
    ['rs-server', undefined, 64512],
    ['rs-server', 7, 7],
    ['peer', undefined, 64512],
    ['peer', 7, null],
    ['customer', undefined, undefined],
    ['customer', 7, null],
    ['rs-client', undefined, undefined],
    ['rs-client', 7, null],
    [undefined, undefined, undefined],
    [undefined, 7, 7],
  ];
  for (const [role, onlyToCustomer, expected] of ROWS) {
    const outcome = expected === null ? 'not sent' : (expected ?? 'none');
    it(`we ${role ?? 'without a role'}, OTC ${onlyToCustomer ?? 'missing'}: ${outcome}`, () => {
      assert.equal(advertised(role, 65001, onlyToCustomer), expected);
    });
  }

  it('does not change within the AS', () => {
    const bench = new Bench();
    const from = bench.peer('10.0.0.2', { as: 65001, role: 'customer' }).establish();
    const to = bench.peer('10.0.0.3').establish();
    from.announce([PREFIX]);
    to.takeMessages();
    assert.equal(to.routes.get(PREFIX)?.onlyToCustomer, 65001);
  });

  it('is added to a route of our own too; attributes stay in ascending order', () => {
    const bench = new Bench();
    bench.speaker.originate(PREFIX);
    const peer = bench.peer('10.0.0.2', { as: 65001, role: 'peer' });
    peer.connect();
    peer.send(peer.open(), KEEPALIVE);
    peer.takeMessages();
    assert.equal(peer.routes.get(PREFIX)?.onlyToCustomer, 64512);
  });
});
