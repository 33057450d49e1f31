import assert from 'node:assert/strict';
import { BgpEvents } from '../../bgp/events.ts';
import { EventLog } from '../../process/events.ts';
import { createLogger } from '../../process/log.ts';

describe('BgpEvents', () => {
  const setUp = () => {
    const log = new EventLog(createLogger({ level: 'silent', format: 'json' }));
    return {
      teller: new BgpEvents(log),
      texts: () => log.recent().map(({ subject, text }) => `${subject}: ${text}`),
    };
  };
  const failed = (reason: string) => ({ type: 'unreachable', peer: 'n2', reason }) as const;

  it('tells an outage once, and again after a session or for another reason', () => {
    const { teller, texts } = setUp();
    for (let i = 0; i < 5; i++) teller.tell(failed('connection refused'));
    teller.tell(failed('no route to host'));
    teller.tell({ type: 'established', peer: 'n2', address: '10.0.0.2', as: 64512 });
    teller.tell(failed('connection refused'));
    assert.deepEqual(texts(), [
      'n2: cannot connect: connection refused; will keep retrying',
      'n2: cannot connect: no route to host; will keep retrying',
      'n2: session established with 10.0.0.2, AS 64512',
      'n2: cannot connect: connection refused; will keep retrying',
    ]);
  });

  it('counts refused connections instead of telling each', () => {
    const { teller, texts } = setUp();
    for (let count = 1; count <= 250; count++) {
      teller.tell({ type: 'refused', address: '10.9.9.9', reason: 'no peer has this address', count });
    }
    assert.equal(texts().length, 3);
    assert.match(texts()[2], /100 times so far/);
  });

  it('tells the first defect of a peer with the message, then by powers of ten', () => {
    const { teller, texts } = setUp();
    for (let i = 0; i < 30; i++) {
      teller.tell({
        type: 'defect',
        peer: 'tor',
        text: 'ORIGIN: is 7',
        handling: 'treat-as-withdraw',
        hex: 'ffff',
      });
    }
    assert.deepEqual(texts(), [
      'tor: ORIGIN: is 7; treat-as-withdraw; the message: ffff',
      'tor: ORIGIN: is 7; treat-as-withdraw; the message: ffff (defect number 10)',
    ]);
  });

  it('does not count the defects of more and more peers', () => {
    const { teller, texts } = setUp();
    const defect = (peer: string) =>
      teller.tell({ type: 'defect', peer, text: 'bad', handling: 'discard', hex: 'ff' });
    for (let i = 0; i < 9; i++) defect('first');
    for (let i = 0; i < 1024; i++) defect(`peer ${i}`);
    defect('first');
    assert.equal(texts().at(-1), 'first: bad; discard; the message: ff', 'its count starts again');
  });
});
