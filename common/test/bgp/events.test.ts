import assert from 'node:assert/strict';
import { BgpEvents } from '../../bgp/events.ts';
import { EventLog } from '../../process/events.ts';
import { createLogger } from '../../process/log.ts';

describe('BgpEvents', () => {
  const setUp = () => {
    const log = new EventLog(createLogger({ level: 'silent', format: 'json' }));
    return {
      bgpEvents: new BgpEvents(log),
      texts: () => log.recent().map(({ subject, text }) => `${subject}: ${text}`),
    };
  };
  const failed = (reason: string) => ({ type: 'unreachable', peer: 'n2', reason }) as const;

  it('reports an outage once, and again after a session or for another reason', () => {
    const { bgpEvents, texts } = setUp();
    for (let i = 0; i < 5; i++) bgpEvents.report(failed('connection refused'));
    bgpEvents.report(failed('no route to host'));
    bgpEvents.report({ type: 'established', peer: 'n2', address: '10.0.0.2', as: 64512 });
    bgpEvents.report(failed('connection refused'));
    assert.deepEqual(texts(), [
      'n2: cannot connect: connection refused; will keep retrying',
      'n2: cannot connect: no route to host; will keep retrying',
      'n2: session established with 10.0.0.2, AS 64512',
      'n2: cannot connect: connection refused; will keep retrying',
    ]);
  });

  it('counts refused connections instead of reporting each', () => {
    const { bgpEvents, texts } = setUp();
    for (let count = 1; count <= 250; count++) {
      bgpEvents.report({ type: 'refused', address: '10.9.9.9', reason: 'no peer has this address', count });
    }
    assert.equal(texts().length, 3);
    assert.match(texts()[2], /100 so far/);
  });

  it('reports the first defect of a peer with the message, then every power of ten', () => {
    const { bgpEvents, texts } = setUp();
    for (let i = 0; i < 30; i++) {
      bgpEvents.report({
        type: 'defect',
        peer: 'tor',
        text: 'ORIGIN: is 7',
        handling: 'treat-as-withdraw',
        hex: 'ffff',
      });
    }
    assert.deepEqual(texts(), [
      'tor: ORIGIN: is 7; treat-as-withdraw; message ffff',
      'tor: ORIGIN: is 7; treat-as-withdraw; message ffff (10 so far)',
    ]);
  });

  it('counts the defects of each peer, whichever peers come in between', () => {
    const { bgpEvents, texts } = setUp();
    for (let i = 0; i < 10; i++) {
      const peers = i === 0 ? ['tor', 'n2', 'n3'] : ['tor'];
      for (const peer of peers) {
        bgpEvents.report({ type: 'defect', peer, text: 'bad', handling: 'discard', hex: 'ff' });
      }
    }
    assert.equal(texts().at(-1), 'tor: bad; discard; message ff (10 so far)');
  });

  it('bounds the number of peers whose defects it counts', () => {
    const { bgpEvents, texts } = setUp();
    const defect = (peer: string) =>
      bgpEvents.report({ type: 'defect', peer, text: 'bad', handling: 'discard', hex: 'ff' });
    for (let i = 0; i < 9; i++) defect('first');
    for (let i = 0; i < 1024; i++) defect(`peer ${i}`);
    defect('first');
    assert.equal(texts().at(-1), 'first: bad; discard; message ff', 'its count starts again');
  });
});
