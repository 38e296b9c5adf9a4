/** Starts the worker file next to this one: compiled, or TypeScript source under tsx or vitest. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { WorkerSetup } from "./protocol.js";

const threadName = "limpid-engine";

/** Returns a started worker thread; it is given `setup` and nothing of this process's command line. */
export function startWorker(setup: WorkerSetup): Worker {
  const options = { name: threadName, workerData: setup, execArgv: [] };
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./worker.js", import.meta.url), options);
  return new Worker(sourceBootstrap(new URL("./worker.ts", import.meta.url)), { ...options, eval: true });
}

/** On Node.js 20 `--import tsx` does not reach worker threads, so the loader is registered inside the thread. */
function sourceBootstrap(worker: URL): string {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx"));
  const api = new URL("./esm/api/index.mjs", tsx).href;
  return `import(${JSON.stringify(api)}).then(({ register }) => { register(); return import(${JSON.stringify(worker.href)}); });`;
}
