import assert from 'node:assert/strict';
import { IPPrefix } from 'bgp-js/ip';
import { decodeAttributes, decodeMessage, isError } from 'bgp-js/wire';
import { compare, type Measurement, parseMeasurement } from '../../bench/load/compare.ts';
import { internetTable } from '../../bench/load/internet-table.ts';
import { comparisonRows, comparisonTables, median } from '../../bench/reflector.ts';
import { repository } from '../../lab/processes.ts';

const options = { peers: ['bird'], rounds: 1, extra: [], seed: 1 };

describe('the comparison of reflectors', () => {
  it('measures BIRD, an older checkout and ours on generated prefixes and on a table', async function () {
    this.timeout(120_000);
    const scenarios = ['smoke', 'smoke-internet'];
    const comparison = await compare({ ...options, scenarios, before: repository });
    assert.deepEqual(Object.keys(comparison), scenarios);
    for (const daemons of Object.values(comparison)) {
      assert.deepEqual(Object.keys(daemons), ['bird', 'before', 'ours']);
      for (const [measurement, ...more] of Object.values(daemons)) {
        assert.equal(more.length, 0);
        const columns = [
          'converge_s',
          'cpu_s',
          'peak_mb',
          'churn_p50_ms',
          'churn_p99_ms',
          'withdraw_s',
        ] as const;
        for (const column of columns) assert.ok((measurement[column] ?? -1) >= 0, column);
        assert.ok((measurement.peak_mb ?? 0) > 1);
      }
    }
  });

  it('names what is unknown', async () => {
    await assert.rejects(
      compare({ ...options, scenarios: ['pod'] }),
      /unknown scenario pod; there are table, /,
    );
    await assert.rejects(
      compare({ ...options, scenarios: ['smoke'], peers: ['quagga'] }),
      /unknown daemon quagga/,
    );
  });

  it('counts an incomplete phase as failed', () => {
    const lines = [
      '{"phase":"establish","ok":true,"seconds":0.1,"sessions":2}',
      '{"phase":"converge","ok":true,"seconds":0.5,"target_cpu_s":0.4,"target_peak_kb":2048}',
      '{"phase":"withdraw","ok":false,"seconds":120,"target_cpu_s":0,"target_peak_kb":0}',
    ];
    const measurement = { converge_s: 0.5, cpu_s: 0.4, peak_mb: 2, withdraw_s: null };
    assert.deepEqual(parseMeasurement(lines.join('\n')), measurement);
    assert.deepEqual(parseMeasurement('bgpload: something else'), { converge_s: null });
  });
});

describe('the report of the comparison', () => {
  const rounds = (column: keyof Measurement, ...values: (number | null)[]) =>
    values.map((value): Measurement => ({ [column]: value }));

  it('takes the median of the rounds, or none when a round failed', () => {
    assert.equal(median(rounds('cpu_s', 3, 1, 2), 'cpu_s'), 2);
    assert.equal(median(rounds('cpu_s', 4, 1, 2, 3), 'cpu_s'), 2.5);
    assert.equal(median(rounds('cpu_s', 1, null, 2), 'cpu_s'), null);
    assert.equal(median(rounds('cpu_s', 1), 'peak_mb'), undefined);
    assert.equal(median([], 'cpu_s'), undefined);
  });

  it('compares with the best of BIRD and FRR', () => {
    const comparison = {
      pods: {
        bird: rounds('converge_s', 2),
        frr: rounds('converge_s', 0.1),
        openbgpd: rounds('converge_s', 0.01),
        ours: rounds('converge_s', 0.2),
      },
      cluster: { bird: rounds('churn_p50_ms', 1), frr: [], ours: rounds('churn_p50_ms', 1.1) },
      table: { bird: rounds('cpu_s', 1), ours: rounds('cpu_s', null) },
    };
    const verdicts = comparisonRows(comparison).map((row) => [row.metric, row.reference, row.ratio, row.ok]);
    assert.deepEqual(verdicts, [
      ['pods: converge, s', 0.1, 2, false],
      ['cluster: churn p50, ms', 1, 1.1, true],
      ['table: CPU, s', null, null, false],
    ]);
  });

  it('shows medians with their spread, and daemons that are not installed or not in time', () => {
    const daemons = {
      bird: rounds('withdraw_s', 1, 3, 2),
      gobgp: [],
      frr: rounds('withdraw_s', 1, null),
      ours: rounds('withdraw_s', 0.5),
    };
    const [text] = comparisonTables({ pods: daemons });
    assert.match(
      text,
      /^\| pods: 200 clients × 100 \| BIRD \| GoBGP \| FRR \| Flatroute \| ratio to the best of BIRD and FRR \|$/m,
    );
    assert.match(
      text,
      /^\| withdraw, s \| 2 \(1–3\) \| not installed \| not in time \| 0.5 \| 0.25 \(≤ 1\) \|$/m,
    );
  });
});

describe('the table with the mix of the Internet', () => {
  const request = { prefixes: 20_000, sets: 3000, seed: 7, nextHop: '10.200.1.1' };

  it('has as many prefixes and sets of attributes as asked for, and no prefix twice', () => {
    const { bytes } = internetTable(request);
    const prefixes = new Set<string>();
    const sets = new Set<string>();
    const lengths = new Map<number, number>();
    let [updates, hops] = [0, 0];
    for (let at = 0; at < bytes.length; updates++) {
      const length = bytes[at + 16] * 256 + bytes[at + 17];
      const message = decodeMessage(bytes.subarray(at, at + length));
      assert.ok(!isError(message) && message.type === 'update');
      sets.add(Buffer.from(message.attributes).toString('base64'));
      const path = decodeAttributes(message.attributes).asPath.flatMap(({ ases }) => ases);
      assert.ok(
        !path.some((as) => as >= 64_512 && as <= 65_535),
        'a private AS may be a loop for the daemons',
      );
      hops += path.length;
      for (let from = 0; from < message.nlri.length; ) {
        const prefix = IPPrefix.readNlri(message.nlri, from, 4);
        prefixes.add(prefix.toString());
        lengths.set(prefix.length, (lengths.get(prefix.length) ?? 0) + 1);
        from += prefix.toNlri().length;
      }
      at += length;
    }
    assert.equal(prefixes.size, request.prefixes);
    assert.equal(sets.size, request.sets);
    const share = (length: number) => (lengths.get(length) ?? 0) / request.prefixes;
    assert.ok(share(24) > 0.55 && share(24) < 0.65, `${share(24)} are /24`);
    assert.ok(share(22) > 0.08 && share(22) < 0.14, `${share(22)} are /22`);
    assert.ok(hops / updates > 4 && hops / updates < 5.5, `paths have ${hops / updates} hops`);
  });

  it('follows from its seed', () => {
    const digest = ({ bytes }: { bytes: Uint8Array }) => Buffer.from(bytes).toString('base64');
    assert.equal(digest(internetTable(request)), digest(internetTable(request)));
    assert.notEqual(digest(internetTable(request)), digest(internetTable({ ...request, seed: 8 })));
  });
});
