import assert from 'node:assert/strict';
import {
  BODY_MAX,
  decodeAnswer,
  ENVIRONMENT_MAX,
  encodeAnswer,
  encodeRequest,
  HEADER_LENGTH,
  ProtocolError,
  RequestReader,
} from '../protocol.ts';

const environment: [string, string][] = [
  ['CNI_COMMAND', 'ADD'],
  ['CNI_ARGS', 'A=1;B=2'],
  ['CNI_PATH', ''],
];

function header(magic: string, first: number, second: number): Buffer {
  const bytes = Buffer.alloc(HEADER_LENGTH);
  bytes.write(magic, 'latin1');
  bytes.writeUInt32BE(first, 4);
  bytes.writeUInt32BE(second, 8);
  return bytes;
}

describe('cni protocol', () => {
  it('encodes a request byte by byte like shim.c', () => {
    const bytes = encodeRequest([['CNI_A', 'b']], Buffer.from('{}'));
    assert.deepEqual(bytes, Buffer.from('FRQ1\0\0\0\x08\0\0\0\x02CNI_A=b\0{}', 'latin1'));
  });

  it('reads a request in any two pieces', () => {
    const bytes = encodeRequest(environment, Buffer.from('{"name":"ü"}'));
    for (let cut = 1; cut < bytes.length; cut++) {
      const reader = new RequestReader();
      assert.equal(reader.push(bytes.subarray(0, cut)), undefined);
      assert.equal(reader.size, cut < HEADER_LENGTH ? undefined : bytes.length);
      const request = reader.push(bytes.subarray(cut));
      assert.deepEqual([...request!.environment], environment);
      assert.equal(request!.stdin.toString(), '{"name":"ü"}');
    }
  });

  it('uses the first of equal variables', () => {
    const request = new RequestReader().push(
      encodeRequest(
        [
          ['A', '1'],
          ['A', '2'],
        ],
        Buffer.alloc(0),
      ),
    );
    assert.equal(request!.environment.get('A'), '1');
    assert.equal(request!.stdin.length, 0);
  });

  it('refuses lengths over the limits as soon as the header is complete', () => {
    for (const [first, second] of [
      [ENVIRONMENT_MAX + 1, 0],
      [0, BODY_MAX + 1],
      [0xffffffff, 0xffffffff],
    ]) {
      assert.throws(() => new RequestReader().push(header('FRQ1', first, second)), ProtocolError);
    }
    const largest = new RequestReader();
    assert.equal(largest.push(header('FRQ1', ENVIRONMENT_MAX, BODY_MAX)), undefined);
    assert.equal(largest.size, HEADER_LENGTH + ENVIRONMENT_MAX + BODY_MAX);
  });

  it('refuses other protocols, malformed frames and bytes after a frame', () => {
    const malformed: [Buffer, RegExp][] = [
      [Buffer.from('GET / HTTP/1.1\r\n'), /starts with "GET "/],
      [Buffer.concat([header('FRQ1', 3, 0), Buffer.from('A=b')]), /zero byte/],
      [Buffer.concat([header('FRQ1', 2, 0), Buffer.from('A\0')]), /NAME=VALUE/],
      [Buffer.concat([header('FRQ1', 3, 0), Buffer.from('=A\0')]), /NAME=VALUE/],
      [Buffer.concat([header('FRQ1', 0, 1), Buffer.from('{}')]), /1 bytes after the end/],
    ];
    for (const [bytes, message] of malformed) assert.throws(() => new RequestReader().push(bytes), message);
  });

  it('encodes requests up to the limits', () => {
    const largest = encodeRequest([['A', 'x'.repeat(ENVIRONMENT_MAX - 3)]], Buffer.alloc(BODY_MAX));
    assert.equal(largest.length, HEADER_LENGTH + ENVIRONMENT_MAX + BODY_MAX);
    const tooLarge = [['A', 'x'.repeat(ENVIRONMENT_MAX - 2)]] as const;
    assert.throws(
      () => encodeRequest(tooLarge, Buffer.alloc(0)),
      /environment of 262145 bytes is over the limit/,
    );
    assert.throws(
      () => encodeRequest([], Buffer.alloc(BODY_MAX + 1)),
      /standard input of 1048577 bytes is over/,
    );
  });

  it('refuses answers of another protocol, over the limit, or with bytes after the end', () => {
    const refused: [Buffer, RegExp][] = [
      [header('FRQ1', 0, 0), /starts with "FRQ1" instead of "FRA1"/],
      [header('FRA1', 0, BODY_MAX + 1), /standard output of 1048577 bytes is over the limit/],
      [Buffer.concat([header('FRA1', 0, 1), Buffer.from('ab')]), /2 bytes where its header says 1/],
      [Buffer.from('FRA1'), /ends after 4 bytes/],
    ];
    for (const [bytes, message] of refused) assert.throws(() => decodeAnswer(bytes), message);
    assert.equal(
      decodeAnswer(encodeAnswer({ exitCode: 0, stdout: 'x'.repeat(BODY_MAX) })).stdout.length,
      BODY_MAX,
    );
  });

  it('encodes and decodes answers', () => {
    const answer = { exitCode: 1, stdout: '{"code":11}\n' };
    const bytes = encodeAnswer(answer);
    assert.deepEqual(decodeAnswer(bytes), answer);
    for (let cut = 0; cut < bytes.length; cut++)
      assert.throws(() => decodeAnswer(bytes.subarray(0, cut)), ProtocolError);
    assert.throws(() => encodeAnswer({ exitCode: 0, stdout: 'x'.repeat(BODY_MAX + 1) }), /over the limit/);
  });
});
