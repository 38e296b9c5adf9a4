/** The engine's thread: takes orders one after the other and answers them. Started by `worker-entry.ts` only. */
import { parentPort, workerData } from "node:worker_threads";
import { InternalError } from "../core/index.js";
import type { Order, Reply, WorkerSetup } from "./protocol.js";
import { WorkerHost } from "./worker-host.js";

function main(): void {
  const port = parentPort;
  if (port === null) {
    throw new InternalError({
      where: "runtime/worker",
      got: "an import on the main thread",
      expected: "a start as a worker thread",
      fix: "Import the package's entry point instead.",
    });
  }
  const post = (reply: Reply, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(reply, transfer);
  const host = new WorkerHost(workerData as WorkerSetup, post);
  let last: Promise<void> = host.start();
  port.on("message", (order: Order) => {
    if (order.type === "close") last = last.then(() => port.close());
    else last = last.then(() => host.handle(order));
  });
}

main();
