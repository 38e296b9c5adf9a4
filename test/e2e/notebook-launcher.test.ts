/** The launcher's pure parts, and what it says where tslab is missing or another. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "@tslab/typescript-for-tslab";
import { afterAll, describe, expect, test } from "vitest";
import { root } from "./notebook.js";

interface Place {
  readonly line: number;
  readonly character: number;
}
interface Description {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}
type TidyFrames = (frames: readonly string[]) => readonly string[];
type Reply = Readonly<Record<"status", string>>;
interface Job {
  readonly run: () => Promise<Reply>;
  readonly abort: () => Reply;
  readonly stopsOnError: boolean;
}

const load = createRequire(join(root, "jupyter/kernels/tslab/launch.cjs"));
const { createRewrite } = load("./rewrite.cjs") as {
  readonly createRewrite: (
    compiler: typeof ts,
  ) => (code: string) => { readonly code: string; readonly toOriginal: (place: Place) => Place };
};
const { describeFailure, tidyText } = load("./errors.cjs") as {
  readonly describeFailure: (reports: readonly (readonly unknown[])[], tidyFrames: TidyFrames) => Description;
  readonly tidyText: (text: string, tidyFrames: TidyFrames) => string;
};
const frames = load("./frames.cjs") as Readonly<Record<"CellMaps", new () => object>> & {
  readonly createTidyFrames: (maps: object, folders: Readonly<Record<"packageRoot" | "folder", string>>) => TidyFrames;
};
const queues = load("./queue.cjs") as Readonly<Record<"CellQueue", new () => { add(job: Job): Promise<Reply> }>>;

const rewrite = createRewrite(ts);
const tidyFrames = frames.createTidyFrames(new frames.CellMaps(), {
  packageRoot: "/lib/limpid",
  folder: "/home/me/work",
});

describe("rewriting", () => {
  test.each([
    ["const o = { a, b: 1, c };", "const o = { a: a, b: 1, c: c };"],
    ["f({ a })", "f({ a: a })"],
    ["({ a } = o);", "({ a: a } = o);"],
    ["({ a = 1 } = o);", "({ a: a = 1 } = o);"],
    ["const { k: v } = o;", 'const { ["k"]: v } = o;'],
    ["const { k: v = 1, ...rest } = o;", 'const { ["k"]: v = 1, ...rest } = o;'],
    ["const { k } = o;", "const { k } = o;"],
    ['const { "k": v, 2: w, [x]: y } = o;', 'const { "k": v, 2: w, [x]: y } = o;'],
    ["const { k: { l: m } } = o;", 'const { ["k"]: { ["l"]: m } } = o;'],
    ["({ k: v } = o);", '({ ["k"]: v } = o);'],
    ["({ k: { l: v } } = o);", '({ ["k"]: { ["l"]: v } } = o);'],
    ["[{ k: v }] = o;", '[{ ["k"]: v }] = o;'],
    ["for ({ k: v } of o);", 'for ({ ["k"]: v } of o);'],
    ["const o = { k: v };", "const o = { k: v };"],
    ["o = { k: v };", "o = { k: v };"],
    ["await (f());", "if (0) await 0;await (f());"],
    ["// first\nconst x = await [1];", "// first\nif (0) await 0;const x = await [1];"],
    ["for await (const x of y) {}", "if (0) await 0;for await (const x of y) {}"],
    ["if (a) { await (1) }", "if (0) await 0;if (a) { await (1) }"],
    ["async () => { await f(); }", "async () => { await f(); }"],
    ["class A { async f() { await (1); } }", "class A { async f() { await (1); } }"],
    ['const s = "{ a }"; // { a }', 'const s = "{ a }"; // { a }'],
    ["const broken = {", "const broken = {"],
    ["", ""],
  ])("turns %j into %j", (code, rewritten) => {
    expect(rewrite(code).code).toBe(rewritten);
  });

  test("moves no line, and leads places in the rewritten code back to what was written", () => {
    const written = "const first = { a, b }, after = 1;\nconst { k: v } = o; await (f({ a }));\n({ z = 1 } = o); last;";
    const { code, toOriginal } = rewrite(written);
    const [lines, originals] = [code.split("\n"), written.split("\n")];
    expect(lines.length).toBe(originals.length);
    const words = [
      ["first", "}, after"],
      ["v } = o", "await (f"],
      ["= 1 }", "last"],
    ];
    for (const [line, found] of words.entries()) {
      for (const word of found) {
        const character = (lines[line] ?? "").indexOf(word);
        expect(toOriginal({ line, character })).toEqual({ line, character: originals[line]?.indexOf(word) });
      }
    }
  });
});

describe("describing a failure", () => {
  test("names class, message, frames and causes of what was thrown", () => {
    const error = new TypeError("outer\nsecond line", { cause: new RangeError("inner") });
    const found = describeFailure([["a warning"], [error]], () => ["    at f (x.js:1:1)"]);
    expect(found).toEqual({
      ename: "TypeError",
      evalue: "outer\nsecond line",
      traceback: [
        "TypeError: outer",
        "second line",
        "    at f (x.js:1:1)",
        "  caused by RangeError: inner",
        "      at f (x.js:1:1)",
      ],
    });
  });
  test("takes the header from the error, not from the stack, in which Node may put megabytes of source", () => {
    const error = new Error("short");
    error.stack = `file:///lib.js:1\n${"x".repeat(1000)}\n^\n\n${error.stack ?? ""}`;
    expect(describeFailure([[error]], () => []).traceback).toEqual(["Error: short"]);
  });
  test("names the compiler's complaints", () => {
    const format = "%s%d:%d - %s";
    const reports = [
      [format, "", 1, 7, "Type 'View' is not assignable to type 'string'."],
      [format, "util.ts ", 2, 1, "Cannot find name 'x'."],
    ];
    const lines = ["1:7 - Type 'View' is not assignable to type 'string'.", "util.ts 2:1 - Cannot find name 'x'."];
    expect(describeFailure(reports, tidyFrames)).toEqual({
      ename: "TypeScriptError",
      evalue: lines.join("\n"),
      traceback: lines,
    });
  });
  test("survives a cause that leads back to itself, and errors of errors", () => {
    const error = new AggregateError([new Error("one"), "two"], "both");
    error.cause = error;
    const { traceback } = describeFailure([[error]], () => []);
    expect(traceback).toContain("  caused by Error: one");
    expect(traceback).toContain("  caused by 'two'");
    expect(traceback.length).toBeLessThan(2000);
  });
});

describe("tidying frames", () => {
  test.each([
    ["    at f (/home/me/work/lib/a.js:1:2)", "    at f (./lib/a.js:1:2)"],
    ["    at /home/me/other/a.js:1:2", "    at ../other/a.js:1:2"],
    ["    at f (file:///lib/limpid/dist/model/run.js:1:2)", "    at f (limpid/dist/model/run.js:1:2)"],
    [
      "    at f (/home/me/work/node_modules/onnxruntime-node/dist/b.js:1:2)",
      "    at f (onnxruntime-node/dist/b.js:1:2)",
    ],
    ["    at f (/opt/elsewhere/deep/c.js:1:2)", "    at f (…/c.js:1:2)"],
    ["    at /home/me/work/my folder/100%.js:1:2", "    at ./my folder/100%.js:1:2"],
    ["    at async f (file:///home/me/work/my%20folder/a.js:1:2)", "    at async f (./my folder/a.js:1:2)"],
    ["    at async Promise.all (index 0)", "    at async Promise.all (index 0)"],
  ])("turns %j into %j", (frame, tidied) => {
    expect(tidyFrames([frame])).toEqual([tidied]);
  });
  test("drops frames of the kernel, of Node and of unknown cells", () => {
    const dropped = [
      "    at Object.execute (/p/node_modules/tslab/dist/executor.js:1:1)",
      "    at x (/lib/limpid/jupyter/kernels/tslab/messages.cjs:1:1)",
      "    at node:internal/main:1:1",
      "    at Module._compile (node:internal/modules/cjs/loader:1554:14)",
      "    at f (In[7]:1:1)",
    ];
    expect(tidyFrames(dropped)).toEqual([]);
  });
  test("tidies traces in text that a cell prints, and leaves all other text alone", () => {
    const text = "Error: x\n    at f (/home/me/work/a.js:1:2)\n    at node:vm:1:1 {\n  code: 'X'\n}\n";
    expect(tidyText(text, tidyFrames)).toBe("Error: x\n    at f (./a.js:1:2)\n    {\n  code: 'X'\n}\n");
    for (const plain of ["progress 3/4\r", "/home/me/work/a.txt:1:2\n"]) {
      expect(tidyText(plain, tidyFrames)).toBe(plain);
    }
  });
});

describe("the queue", () => {
  const job = (status: string, order: string[], stopsOnError = true): Job => ({
    run: async () => {
      await Promise.resolve();
      order.push(status);
      return { status };
    },
    abort: () => ({ status: "aborted" }),
    stopsOnError,
  });

  test("runs one after the other; an error drops what has arrived by the end of its wait, and nothing later", async () => {
    const queue = new queues.CellQueue();
    const order: string[] = [];
    const first = [queue.add(job("ok", order)), queue.add(job("error", order)), queue.add(job("never", order))];
    // Still on its way when the error happens.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const late = queue.add(job("never", order));
    expect((await Promise.all([...first, late])).map(({ status }) => status)).toEqual([
      "ok",
      "error",
      "aborted",
      "aborted",
    ]);
    expect((await queue.add(job("later", order))).status).toBe("later");
    expect(order).toEqual(["ok", "error", "later"]);
  });
  test("goes on when an error stops nothing, and when a job breaks", async () => {
    const queue = new queues.CellQueue();
    const order: string[] = [];
    const broken = { ...job("", order), run: () => Promise.reject(new Error("broken")) };
    const all = await Promise.allSettled([
      queue.add(job("error", order, false)),
      queue.add(broken),
      queue.add(job("ok", order)),
    ]);
    expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(order).toEqual(["error", "ok"]);
  });
});

describe("another tslab", () => {
  const scratch = mkdtempSync(join(tmpdir(), "limpid-tslab-"));
  afterAll(() => {
    rmSync(scratch, { recursive: true });
  });

  /** Starts the launcher in a project of its own, with the given files as tslab. */
  function launch(name: string, files: Readonly<Record<string, string>>): ReturnType<typeof spawnSync> {
    const project = join(scratch, name);
    const limpid = join(project, "node_modules", "limpid");
    cpSync(join(root, "jupyter"), join(limpid, "jupyter"), { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(project, "node_modules", path)), { recursive: true });
      writeFileSync(join(project, "node_modules", path), text);
    }
    const launcher = join(limpid, "jupyter/kernels/tslab/launch.cjs");
    return spawnSync(process.execPath, [launcher, "connection.json"], { cwd: project, encoding: "utf8" });
  }
  const manifest = { "tslab/package.json": '{ "name": "tslab", "version": "2.0.0" }' };

  test("whose inside does not fit is started as it is, after the launcher has said what is missing", () => {
    const files = {
      ...manifest,
      "tslab/dist/main.js": "exports.startKernel = (options) => console.log(JSON.stringify(options));",
      "tslab/dist/jupyter.js": "exports.ZmqServer = class { handleExecute() {} };",
    };
    const { status, stdout, stderr } = launch("misfit", files);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^limpid's kernel: tslab 2\.0\.0 is installed; the repairs are made for 1\.0\.22 and need /);
    expect(stderr).toContain("ZmqServer.publishStatus, JupyterHandlerImpl.handleExecute, ");
    expect(JSON.parse(String(stdout))).toEqual({ configPath: "connection.json", enableFindLocal: false });
  });
  test("that cannot be started at all ends with a message", () => {
    const { status, stderr } = launch("empty", manifest);
    expect(status).toBe(1);
    expect(stderr).toContain("it has no startKernel either, so nothing can be started.");
  });
  test("that is missing ends with what to install", () => {
    const { status, stderr } = launch("missing", {});
    expect(status).toBe(1);
    expect(stderr).toBe("limpid's kernel: tslab is not installed. In the folder of your project: npm install limpid\n");
  });
});
