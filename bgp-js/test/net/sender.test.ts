import assert from 'node:assert/strict';
import { type Outlet, Sender, smallWrites, WRITE_SIZE } from '../../net/sender.ts';

interface Line extends Outlet {
  /** Octets that are to be sent, and those that were. */
  pending: number;
  sent: number;
  /** What the kernel takes before it has no more room. */
  room: number;
  /** Called when it has its turn. */
  onTurn: () => void;
}

/** A connection that was written to often. */
const line = (pending: number, room = Number.POSITIVE_INFINITY): Line => {
  return {
    blocked: false,
    closed: false,
    writes: 1000,
    pending,
    sent: 0,
    room,
    onTurn: () => {},
    hasOutput() {
      return this.pending > 0;
    },
    takeOutput(limit) {
      this.onTurn();
      const size = Math.min(limit, this.pending);
      this.pending -= size;
      return size === 0 ? [] : [new Uint8Array(size)];
    },
    write(parts) {
      for (const part of parts) this.sent += part.length;
      return this.sent < this.room;
    },
  };
};

/** A sender of lines, which notes whose turn it was. */
function senderOf(lines: Line[]) {
  const turns: number[] = [];
  const blocked: number[] = [];
  for (const [number, one] of lines.entries()) one.onTurn = () => turns.push(number);
  const sender = new Sender<Line>((one) => blocked.push(lines.indexOf(one)));
  /** Goes on until the clock was looked at so many times. */
  const goOn = (looks: number) => {
    let looked = 0;
    return sender.send(lines, () => ++looked >= looks);
  };
  /** The same when there may be something new. */
  const send = (looks: number) => {
    sender.noteOutput();
    return goOn(looks);
  };
  return { turns, blocked, send, goOn };
}

describe('the turns of connections to send', () => {
  it('go on until nobody has more', () => {
    const lines = [line(3 * WRITE_SIZE), line(1), line(0)];
    assert.equal(senderOf(lines).send(Number.POSITIVE_INFINITY), false);
    assert.deepEqual(
      lines.map(({ sent }) => sent),
      [3 * WRITE_SIZE, 1, 0],
    );
  });

  it('are one for each before anybody has a second one', () => {
    const lines = [1, 2, 2, 1].map((writes) => line(writes * WRITE_SIZE));
    const { turns, send } = senderOf(lines);
    assert.equal(send(Number.POSITIVE_INFINITY), false);
    assert.deepEqual(turns, [3, 2, 1, 0, 2, 1]);
  });

  it('come once for what one call has no time for, and anew when there may be something new meanwhile', () => {
    const lines = Array.from({ length: 1000 }, () => line(1));
    const { turns, send, goOn } = senderOf(lines);
    const goOnToTheEnd = () => {
      let calls = 1;
      while (goOn(1)) calls++;
      return calls;
    };
    assert.equal(goOn(1), false);
    assert.equal(turns.length, 0);
    assert.equal(send(1), true);
    assert.ok(goOnToTheEnd() > 1);
    assert.equal(turns.length, 1000);
    assert.equal(send(1), true);
    lines[999].pending = 1;
    assert.equal(send(1), true);
    goOnToTheEnd();
    assert.equal(turns.length, 3000);
    assert.equal(lines[999].sent, 2);
  });

  it('come to those with a keepalive while others take all that they can get, however little time there is', () => {
    const lines = [line(1e9), line(0), line(1e9), line(1e9)];
    const { send } = senderOf(lines);
    for (let second = 1; second <= 20; second++) {
      lines[1].pending = 19;
      for (let call = 0; call < 4; call++) assert.equal(send(1), true);
      assert.equal(lines[1].sent, second * 19);
    }
    const [first, , third, fourth] = lines.map(({ sent }) => sent);
    assert.ok(Math.max(first, third, fourth) - Math.min(first, third, fourth) <= 2 * WRITE_SIZE);
  });

  it('are short ones at first, so that what comes behind a table finds its receiver used to it', () => {
    const lines = [0, 1, 2].map(() => line(100_000));
    lines[0].writes = lines[1].writes = 0;
    const { turns, send } = senderOf(lines);
    assert.equal(send(Number.POSITIVE_INFINITY), false);
    const count = (id: number) => turns.filter((turn) => turn === id).length;
    assert.deepEqual([0, 1, 2].map(count), [67, 67, 4]);
    assert.deepEqual([1, 200, 300, 1000].map(smallWrites), [64, 64, 42, 40]);
    assert.ok(lines.every(({ sent }) => sent === 100_000));
  });

  it('leave out who can take no more, or is gone', () => {
    const lines = [line(1e6, 1e5), line(1e5), line(1e5)];
    lines[2].closed = true;
    const { turns, blocked, send } = senderOf(lines);
    assert.equal(send(Number.POSITIVE_INFINITY), false);
    assert.deepEqual(blocked, [0]);
    assert.ok(lines[0].sent >= 1e5 && lines[0].sent < 1e5 + WRITE_SIZE);
    assert.deepEqual([lines[1].sent, lines[2].sent], [1e5, 0]);
    assert.ok(!turns.includes(2));
  });
});
