/** Many cells at once, as "Run All" of a notebook in a browser sends them, and interrupts. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { root } from "./notebook.js";
import { type Executed, type ExecuteFields, KernelClient, stdoutOf } from "./notebook-client.js";

const statusOf = ({ reply }: Executed): unknown => reply["status"];
const go = { ["stop_on_error"]: false };

let folder = "";
let kernel: KernelClient;

beforeAll(async () => {
  mkdirSync(join(root, "out"), { recursive: true });
  folder = mkdtempSync(join(root, "out", "queue-"));
  kernel = await KernelClient.start(folder);
}, 60_000);
afterAll(async () => {
  await kernel.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  kernel.log.length = 0;
});

/** Sends all cells before the first has ended. */
async function runAll(cells: readonly string[], fields: ExecuteFields = {}): Promise<readonly Executed[]> {
  return Promise.all(cells.map((code) => kernel.execute(code, fields)));
}

/**
 * Sends a cell, interrupts it a moment after it has printed "going", and returns what became of it.
 *
 * Node loses a signal that comes in the instant in which a script's synchronous part ends.
 */
async function interrupted(code: string): Promise<Executed> {
  kernel.log.length = 0;
  const done = kernel.execute(code);
  await kernel.published(({ content }) => content["text"] === "going\n");
  await new Promise((resolve) => setTimeout(resolve, 60));
  kernel.interrupt();
  return done;
}

describe("Run All", () => {
  test("stops at the first error, and says which cells were not run", async () => {
    const cells = [
      "console.log(1)",
      "throw new RangeError('no')",
      "console.log(3)",
      "const s: string = 4",
      "console.log(5)",
    ];
    const all = await runAll(cells);
    expect(all.map(statusOf)).toEqual(["ok", "error", "aborted", "aborted", "aborted"]);
    expect(all.map(stdoutOf)).toEqual(["1\n", "", "", "", ""]);
    expect(all[1]?.reply).toMatchObject({ ename: "RangeError", evalue: "no" });
  });

  test("runs a cell that is sent right after the error's reply", async () => {
    expect(statusOf(await kernel.execute("throw 1"))).toBe("error");
    expect(stdoutOf(await kernel.execute("console.log('at once')"))).toBe("at once\n");
  });

  test("goes on behind errors when the requests say so", async () => {
    const cells = ["throw 1", "console.log(2)", "const s: string = 3", "throw 4", "console.log(5)"];
    const all = await runAll(cells, go);
    expect(all.map(statusOf)).toEqual(["error", "ok", "error", "error", "ok"]);
    expect(all.map(stdoutOf)).toEqual(["", "2\n", "", "", "5\n"]);
  });

  test("counts cells in order, in the inputs as in the replies, and not those that were aborted", async () => {
    const [first] = await runAll(["0"]);
    const before = Number(first?.reply["execution_count"]);
    const all = await runAll(["1", "throw 2", "3"]);
    const [next] = await runAll(["4"]);
    const counts = [...all, next].map((one) => one?.reply["execution_count"]);
    expect(counts).toEqual([before + 1, before + 2, undefined, before + 3]);
    const inputs = kernel.log.filter(({ type }) => type === "execute_input").map(({ content }) => content);
    expect(inputs).toEqual([
      { code: "0", ["execution_count"]: before },
      { code: "1", ["execution_count"]: before + 1 },
      { code: "throw 2", ["execution_count"]: before + 2 },
      { code: "4", ["execution_count"]: before + 3 },
    ]);
  });

  test("keeps each cell's messages under it, and is busy until the last has ended", async () => {
    const wait = "await new Promise((resolve) => setTimeout(resolve, 50));";
    const cells = [1, 2, 3].map((n) => `console.log('begin ${n}'); ${wait} console.log('end ${n}')`);
    const all = runAll(cells);
    await kernel.published(({ content }) => content["text"] === "begin 1\n");
    kernel.ask("complete_request", { code: "consol", ["cursor_pos"]: 6 });
    expect((await all).map(stdoutOf)).toEqual(["begin 1\nend 1\n", "begin 2\nend 2\n", "begin 3\nend 3\n"]);
    const order = kernel.log.flatMap(({ type, code, content }) => {
      if (type === "status") return [`${String(content["execution_state"])} ${cells.indexOf(code) + 1}`];
      return type === "stream" ? [String(content["text"]).trim()] : [];
    });
    // Cell 0 is the question; the cell that was asked meanwhile is busy again after it.
    expect(order.slice(0, 5)).toEqual(["busy 1", "begin 1", "busy 0", "idle 0", "busy 1"]);
    expect(order.slice(5)).toEqual([
      ...["end 1", "idle 1"],
      ...["busy 2", "begin 2", "end 2", "idle 2"],
      ...["busy 3", "begin 3", "end 3", "idle 3"],
    ]);
  });

  test("an error is published once, as what the reply says", async () => {
    const { reply, messages } = await kernel.execute("throw new Error('once')");
    const { ename, evalue, traceback } = reply;
    expect(messages.filter(({ type }) => type === "error").map(({ content }) => content)).toEqual([
      { ename, evalue, traceback },
    ]);
    expect(messages.filter(({ type }) => type === "stream")).toEqual([]);
  });

  test("a silent request publishes nothing, is not counted and stops nothing", async () => {
    const [before, silent, after] = await Promise.all([
      kernel.execute("0"),
      kernel.execute("console.log('quiet'); throw 1", { silent: true }),
      kernel.execute("0"),
    ]);
    expect(silent.messages.map(({ type }) => type)).toEqual(["status", "status"]);
    expect(statusOf(silent)).toBe("error");
    expect(after.reply["execution_count"]).toBe(Number(before.reply["execution_count"]) + 1);
  });
});

describe("an interrupt", () => {
  test.each([
    ["an endless loop", "console.log('going'); for (;;);"],
    ["an endless loop before an await", "console.log('going'); while (Date.now() > 0) {}\nawait null;"],
    ["an await that never ends", "console.log('going'); await new Promise(() => {});"],
  ])("stops %s, and the kernel goes on", async (_, code) => {
    const { reply } = await interrupted(code);
    expect(reply).toMatchObject({ status: "error", ename: "Interrupted" });
    expect(stdoutOf(await kernel.execute("console.log('goes on')"))).toBe("goes on\n");
  });

  test("stops a last expression that is waited for", async () => {
    await kernel.execute('import { loadModel } from "limpid";\nconst model = await loadModel("tiny");');
    const { reply } = await interrupted("console.log('going');\nnew Promise(() => {})");
    expect(reply).toMatchObject({ status: "error", ename: "Interrupted" });
  });

  test("drops the cells behind, as an error does", async () => {
    const behind = Promise.all([
      interrupted("console.log('going'); await new Promise(() => {});"),
      kernel.execute("1"),
    ]);
    expect((await behind).map(statusOf)).toEqual(["error", "aborted"]);
  });

  test("aborts the cell's own signal, so that its code may end as it likes", async () => {
    const code = [
      'const signal: AbortSignal = (globalThis as any)[Symbol.for("limpid.cellSignal")]();',
      "console.log('going');",
      "await new Promise((resolve) => signal.addEventListener('abort', resolve));",
      "console.log('saved');",
    ].join("\n");
    const done = await interrupted(code);
    expect([statusOf(done), stdoutOf(done)]).toEqual(["ok", "going\nsaved\n"]);
    const fresh = await kernel.execute('(globalThis as any)[Symbol.for("limpid.cellSignal")]().aborted');
    expect(stdoutOf(fresh)).toBe("false\n");
  });

  test("stops limpid's work: runs that the cell began end, and those that it would begin do not", async () => {
    await kernel.execute("const count = { runs: 0 };\nconst rows = [Array.from({ length: 60 }, (_, i) => i)];");
    const code = "for (;;) { await model.run(rows); if (++count.runs === 2) console.log('going'); }";
    const { reply } = await interrupted(code);
    expect(reply).toMatchObject({ status: "error", ename: "Interrupted" });
    const check = "const before = count.runs;\nawait new Promise((r) => setTimeout(r, 200));\ncount.runs - before";
    expect(stdoutOf(await kernel.execute(check))).toBe("0\n");
    expect(stdoutOf(await kernel.execute("(await model.run(rows)).tokens.shape.join()"))).toBe("1,60\n");
  });
});
