/** How many threads are worth having. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Returns the number of physical cores that this process may use; two threads of one core count once on Linux. */
export function physicalCores(): number {
  const usable = availableParallelism();
  const cores = coresOf(readCpuInfo());
  return cores === 0 ? usable : Math.min(usable, cores);
}

/** Returns the number of distinct (package, core) pairs in the text of `/proc/cpuinfo`; 0 when it does not say. */
export function coresOf(cpuInfo: string): number {
  const cores = new Set<string>();
  for (const block of cpuInfo.split(/\n\s*\n/)) {
    const core = /^core id\s*:\s*(\d+)/m.exec(block)?.[1];
    if (core !== undefined) cores.add(`${/^physical id\s*:\s*(\d+)/m.exec(block)?.[1] ?? 0}:${core}`);
  }
  return cores.size;
}

function readCpuInfo(): string {
  if (process.platform !== "linux") return "";
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}
