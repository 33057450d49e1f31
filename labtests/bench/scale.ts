/** Thousands of nodes behind a few reflectors: the cost of a cold start, of a dead reflector and of a lost rack. */
import type { Benchmark } from './benchmark.ts';
import {
  type BenchResult,
  bounded,
  correct,
  limited,
  markdownTable,
  type Row,
  reported,
  round,
} from './result.ts';
import { type ClusterSize, ScaleCluster, type ScaleStep } from './scale-cluster.ts';
import { type MeshNode, meshNode } from './scale-mesh.ts';

/** Host routes of each node: 250,000 among 5,000. */
const HOSTS = 50;
const RACK = 40;
/** Octets a second of a line of 10 Gbit/s. */
const LINE = 1.25e9;
/** The kernel's time for one write in ms, and the octets that it copies in a ms: as on loopback. */
const WRITE_MS = 0.005;
const COPY = 3e6;
/** The time within which this many nodes must know of a lost rack, from the expiry of its hold timers; ms. */
const RACK_LIMIT_MS = 2000;
const RACK_LIMIT_NODES = 5000;

interface ClusterResult {
  size: ClusterSize;
  paths: { reflector: number; node: number };
  cold: ScaleStep;
  keepalives: ScaleStep;
  rack: ScaleStep;
  reflector: ScaleStep;
}

function measure(size: ClusterSize): ClusterResult {
  const cluster = new ScaleCluster(size);
  const cold = cluster.coldStart();
  const paths = cluster.paths();
  const keepalives = cluster.keepalives();
  const rack = cluster.loseNodes(RACK);
  return { size, paths, cold, keepalives, rack, reflector: cluster.loseReflector() };
}

/** When the last node has received a step's routes, in ms: the reflector computes while the line transmits. */
function convergence({ reflector, nodeCpuMs }: ScaleStep): number {
  const sending = reflector.cpuMs + reflector.writes * WRITE_MS + reflector.octets / COPY;
  return Math.max(sending, lineMs(reflector.octets)) + nodeCpuMs;
}

const lineMs = (octets: number) => (octets / LINE) * 1000;

function nameOf({ nodes, reflectors, oneCluster }: ClusterSize): string {
  const clusters = oneCluster ? ', one cluster id' : '';
  return `${nodes.toLocaleString('en-US')} nodes, ${reflectors} reflectors${clusters}`;
}

function rows(results: readonly ClusterResult[]): Row[] {
  return results.flatMap(({ size, cold, keepalives, rack, reflector }) => {
    const name = nameOf(size);
    const wrong = [cold, keepalives, rack, reflector].reduce((sum, step) => sum + step.wrong, 0);
    const line = lineMs(cold.reflector.octets);
    return [
      bounded(
        `${name}: cold start, CPU ms to what a line of 10 Gbit/s takes`,
        cold.reflector.cpuMs,
        round(line),
        1,
      ),
      rackRow(name, size, convergence(rack)),
      correct(`${name}: UPDATEs because a reflector died`, reflector.reflector.updates),
      correct(`${name}: wrong routes after any step`, wrong),
    ];
  });
}

function rackRow(name: string, { nodes }: ClusterSize, ms: number): Row {
  const metric = `${name}: a rack of ${RACK} gone, ms after its hold timers`;
  return nodes > RACK_LIMIT_NODES ? reported(metric, ms) : limited(metric, ms, RACK_LIMIT_MS);
}

function stepTable(results: readonly ClusterResult[]): string {
  const head = [
    '',
    'UPDATEs',
    'MB',
    'writes',
    'CPU, ms',
    'line, ms',
    'CPU of a node, ms',
    'all know it after, ms',
  ];
  const body = results.flatMap(({ size, cold, rack, reflector, keepalives }) => {
    const steps: [string, ScaleStep][] = [
      ['cold start', cold],
      [`a rack of ${RACK} gone`, rack],
      ['a reflector dies', reflector],
      ['a KEEPALIVE from all', keepalives],
    ];
    return steps.map(([what, step]) => {
      const { updates, octets, writes, cpuMs } = step.reflector;
      const figures = [
        updates,
        octets / 1e6,
        writes,
        cpuMs,
        lineMs(octets),
        step.nodeCpuMs,
        convergence(step),
      ];
      return [`${nameOf(size)}: ${what}`, ...figures.map(shown)];
    });
  });
  return markdownTable([head, ...body]);
}

const shown = (value: number) => Math.round(value).toLocaleString('en-US');

function meshTable({ cpuMs, octets, keepaliveMs, sessions }: MeshNode): string {
  return markdownTable([
    [`a node in a full mesh with ${sessions.toLocaleString('en-US')} others`, ''],
    ['all sessions up and all routes in, CPU ms', shown(cpuMs)],
    ['sent, MB', String(round(octets / 1e6))],
    ['a KEEPALIVE from every other, CPU ms', String(round(keepaliveMs))],
    ['sessions in the cluster', shown((sessions * (sessions + 1)) / 2)],
  ]);
}

function sizes(list: string, reflectors: string): ClusterSize[] {
  const nodes = list.split(',').map(Number);
  const largest = nodes.find((count) => count === 5000) ?? nodes[nodes.length - 1];
  const size = (count: number, number: number, oneCluster = false): ClusterSize => ({
    nodes: count,
    hosts: HOSTS,
    reflectors: number,
    oneCluster,
  });
  const others = reflectors.split(',').map(Number);
  return [
    ...nodes.map((count) => size(count, 2)),
    ...others.filter((number) => number !== 2).map((number) => size(largest, number)),
    size(largest, 2, true),
  ];
}

async function run(values: Record<string, string | boolean | undefined>): Promise<BenchResult> {
  // A first pass, so that the measurement runs compiled code.
  measure({ nodes: 300, hosts: HOSTS, reflectors: 2, oneCluster: false });
  const results = sizes(String(values.nodes), String(values.reflectors)).map(measure);
  const mesh = meshNode(Number(values.mesh), HOSTS);
  return {
    rows: [...rows(results), correct('full mesh: wrong routes', mesh.wrong)],
    notes: [stepTable(results), meshTable(mesh)],
  };
}

export const scale: Benchmark = {
  name: 'scale',
  title: 'thousands of nodes behind a few reflectors, simulated in one process',
  document: { file: 'docs/scale.md', rows: true },
  options: {
    nodes: { type: 'string', default: '1000,2000,5000,10000' },
    reflectors: { type: 'string', default: '2,3,4' },
    mesh: { type: 'string', default: '5000' },
  },
  run,
};
