/** Child processes of `process-end.test.ts`: each scenario ends the process in its own way while an engine is busy. */
import { Engine } from "../../../src/runtime/index.js";
import { doubleProgram, f32, identity, slowProgram } from "../../unit/runtime/graphs.js";

const engine = Engine.create();
const program = slowProgram(40, 20);
const feeds = { v0: identity(640) };

/** Starts a run of many segments and resolves when the first one has ended, so the next is under way. */
function startBusy(target: Engine = engine): Promise<void> {
  return new Promise((resolve, reject) => {
    target.run(program, feeds, { onProgress: () => resolve() }).catch(reject);
  });
}

const scenarios: Readonly<Record<string, () => void | Promise<void>>> = {
  async exitWhileBusy() {
    await startBusy();
    process.exit(0);
  },
  async exitCodeWhileBusy() {
    await startBusy();
    process.exit(7);
  },
  async throwWhileBusy() {
    await startBusy();
    setImmediate(() => {
      throw new Error("thrown on purpose");
    });
  },
  async rejectWhileBusy() {
    await startBusy();
    void Promise.reject(new Error("rejected on purpose"));
  },
  exitWhileStarting() {
    void engine.run(program, feeds);
    process.exit(0);
  },
  exitSoonAfterStart() {
    void engine.run(program, feeds);
    setTimeout(() => process.exit(0), Number(process.argv[3] ?? 100));
  },
  async waitForSignal() {
    await startBusy();
    console.log("busy");
  },
  async signalHandlerThatExits() {
    process.on("SIGTERM", () => process.exit(3));
    await startBusy();
    console.log("busy");
  },
  async endWhenIdle() {
    const { y } = await engine.run(doubleProgram, { x: f32([21]) });
    console.log(String(y?.data[0]));
  },
  waitForTheRun() {
    void engine.run(doubleProgram, { x: f32([21]) }).then(({ y }) => console.log(String(y?.data[0])));
  },
  async exitWithSeveralEngines() {
    const before = process.listenerCount("exit");
    const engines = [engine, Engine.create({ threads: 1 }), Engine.create({ threads: 1 })];
    await Promise.all(engines.map((one) => startBusy(one)));
    console.log(`listeners added: ${process.listenerCount("exit") - before}`);
    process.exit(0);
  },
  async closeWhileBusy() {
    const run = engine.run(program, feeds);
    setTimeout(() => void engine.close().then(() => console.log("closed")), 600);
    await run.catch((error: unknown) => console.log(error instanceof Error ? error.name : error));
  },
  async exitWhileClosing() {
    await startBusy().catch(() => undefined);
    void engine.close();
    process.exit(0);
  },
};

process.on("unhandledRejection", (reason) => {
  if (reason instanceof Error && reason.name === "AbortedError") return;
  throw reason;
});
await scenarios[process.argv[2] ?? ""]?.();
