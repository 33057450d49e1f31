/** Measures ADD and DEL as a runtime sees them, plugin process included: `node agent/test/pods/latency.ts [PODS]`. */
import { TestNode } from './node.ts';

const pods = Array.from({ length: Number(process.argv[2] ?? 50) }, (_, pod) => pod);
const node = new TestNode({ podCIDRs: ['10.244.0.0/22'] });

function summary(name: string, times: number[], totalMs: number): void {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => sorted[Math.floor((sorted.length - 1) * share)].toFixed(1);
  const each = (totalMs / times.length).toFixed(2);
  console.log(`${name.padEnd(22)} p50 ${at(0.5)} ms  p99 ${at(0.99)} ms  ${each} ms a pod`);
}

/** Runs one command for every pod, `width` at a time. */
async function measure(command: string, width: number): Promise<void> {
  const times: number[] = [];
  const queue = [...pods];
  const start = performance.now();
  const worker = async (): Promise<void> => {
    for (let pod = queue.shift(); pod !== undefined; pod = queue.shift()) {
      const { exitCode, ms, stdout } = await node.plugin(command, pod);
      if (exitCode !== 0) throw new Error(stdout);
      times.push(ms);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  summary(`${command}, ${width} at a time`, times, performance.now() - start);
}

try {
  node.addPods(...pods);
  await node.start();
  // The first call compiles the code on its path.
  await node.plugin('VERSION', 0);
  await node.ask('measure');
  for (const width of [1, 10, pods.length]) {
    await measure('ADD', width);
    await measure('DEL', width);
  }
  await node.plugin('VERSION', 0);
  const { maxMs, p99Ms } = await node.ask<{ maxMs: number; p99Ms: number }>('blocked');
  console.log(`event loop: longest turn ${maxMs.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`);
} finally {
  await node.remove();
}
