import assert from 'node:assert/strict';
import { type Outlet, Sender, WRITE_SIZE } from '../../net/sender.ts';

interface Line extends Outlet {
  closed: boolean;
  /** Octets to send, and octets sent. */
  pending: number;
  sent: number;
  /** Octets that fit into the socket's buffer. */
  room: number;
  /** Called at each of its turns. */
  onTurn: () => void;
}

const line = (pending: number, room = Number.POSITIVE_INFINITY): Line => {
  return {
    blocked: false,
    closed: false,
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

/** A sender over these connections that records whose turn it was. */
function senderOf(lines: Line[]) {
  const turns: number[] = [];
  const blocked: number[] = [];
  for (const [number, one] of lines.entries()) one.onTurn = () => turns.push(number);
  const sender = new Sender<Line>((one) => blocked.push(lines.indexOf(one)));
  /** Sends until the clock was read `readings` times. */
  const goOn = (readings: number) => {
    let count = 0;
    return sender.send(lines, () => ++count >= readings);
  };
  /** The same after new output. */
  const send = (readings: number) => {
    sender.noteOutput();
    return goOn(readings);
  };
  return { turns, blocked, send, goOn };
}

describe('Sender', () => {
  it('sends until nothing is left', () => {
    const lines = [line(3 * WRITE_SIZE), line(1), line(0)];
    assert.equal(senderOf(lines).send(Number.POSITIVE_INFINITY), false);
    assert.deepEqual(
      lines.map(({ sent }) => sent),
      [3 * WRITE_SIZE, 1, 0],
    );
  });

  it('gives every connection one turn before any has a second', () => {
    const lines = [1, 2, 2, 1].map((writes) => line(writes * WRITE_SIZE));
    const { turns, send } = senderOf(lines);
    assert.equal(send(Number.POSITIVE_INFINITY), false);
    assert.deepEqual(turns, [0, 1, 2, 3, 1, 2]);
  });

  it('continues a round in the next call, and starts another after new output', () => {
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

  it('sends keepalives in time while other connections take all they can get', () => {
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

  it('skips connections that are blocked or closed', () => {
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
