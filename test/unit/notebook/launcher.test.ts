/** The kernel launcher's pure parts; the kernel itself runs in test/e2e/notebook-kernel.test.ts. */
import { createRequire } from "node:module";
import ts from "@tslab/typescript-for-tslab";
import { describe, expect, test } from "vitest";

const load = createRequire(import.meta.url);
const { createFix } = load("../../../jupyter/kernels/tslab/fix.cjs") as {
  readonly createFix: (compiler: typeof ts) => (code: string) => string;
};
const { describeError, tidy } = load("../../../jupyter/kernels/tslab/launch.cjs") as {
  readonly describeError: (writes: readonly string[]) => Readonly<Record<"ename" | "evalue", string>>;
  readonly tidy: (text: string) => string;
};
const fix = createFix(ts);

describe("fix", () => {
  test.each([
    ["const o = { a, b: 1, c };", "const o = { a: a, b: 1, c: c };"],
    ["f({ a })", "f({ a: a })"],
    ["const { k: v } = o;", 'const { ["k"]: v } = o;'],
    ["const { k } = o;", "const { k } = o;"],
    ["const { k: { l: m } } = o;", 'const { ["k"]: { ["l"]: m } } = o;'],
    ["({ a = 1 } = o);", "({ a = 1 } = o);"],
    ["await (f());", "await 0;await (f());"],
    ["// first\nconst x = await [1];", "// first\nawait 0;const x = await [1];"],
    ["for await (const x of y) {}", "await 0;for await (const x of y) {}"],
    ["async () => { await f(); }", "async () => { await f(); }"],
    ["class A { async f() { await (1); } }", "class A { async f() { await (1); } }"],
    ["if (a) { await (1) }", "await 0;if (a) { await (1) }"],
    ['const s = "{ a }"; // { a }', 'const s = "{ a }"; // { a }'],
    ["const broken = {", "const broken = {"],
    ["", ""],
  ])("turns %j into %j", (code, fixed) => {
    expect(fix(code)).toBe(fixed);
  });

  test("moves no line", () => {
    const code = "const a = 1;\nconst o = {\n  a,\n};\nawait (o);\n";
    expect(fix(code).split("\n").length).toBe(code.split("\n").length);
  });
});

describe("describeError", () => {
  test("reads class and message of what was thrown", () => {
    const writes = ["a warning\n", "ShapeError: run: got 1\nand more\n    at f (x.js:1:1)\n"];
    expect(describeError(writes)).toMatchObject({ ename: "ShapeError", evalue: "run: got 1\nand more" });
  });
  test("reads the compiler's complaints", () => {
    const writes = ["1:7 - Type 'View' is not assignable to type 'string'.\n", "2:1 - Cannot find name 'x'.\n"];
    expect(describeError(writes)).toMatchObject({
      ename: "TypeScriptError",
      evalue: "1:7 - Type 'View' is not assignable to type 'string'.\n2:1 - Cannot find name 'x'.",
    });
  });
  test("reads errors with a code, and values that are no errors", () => {
    expect(describeError(["TypeError [ERR_X]: bad\n    at f\n"])).toMatchObject({ ename: "TypeError", evalue: "bad" });
    expect(describeError(["just text\n"])).toMatchObject({ evalue: "just text" });
    expect(describeError([])).toMatchObject({ evalue: "the cell failed" });
  });
});

describe("tidy", () => {
  const message = "ShapeError: run: got 1; expected 2. Fix it.";
  test("drops the kernel's frames and a source excerpt, and keeps the caller's", () => {
    const excerpt = "file:///a/b.js:6\n        throw x;\n        ^\n\n";
    const frames =
      "    at f (/p/lib.js:1:1)\n    at Object.execute (/p/node_modules/tslab/dist/executor.js:1:1)\n    at node:vm:1:1\n";
    expect(tidy(`${excerpt}${message}\n${frames}`)).toBe(`${message}\n    at f (/p/lib.js:1:1)\n`);
  });
  test("drops the list of fields of our errors, but not a cause", () => {
    const head = `${message}\n    at f (/p/lib.js:1:1)`;
    expect(tidy(`${head} {\n  where: 'run',\n  code: 'SHAPE'\n}\n`)).toBe(`${head}\n`);
    expect(tidy(`${head} {\n  where: 'run',\n  [cause]: Error: y\n}\n`)).toContain("[cause]");
  });
  test("shortens the folders of this machine", () => {
    expect(tidy(`${message}\n    at f (${process.cwd()}/dist/a.js:1:1)\n`)).toBe(
      `${message}\n    at f (limpid/dist/a.js:1:1)\n`,
    );
  });
  test("leaves all other text alone", () => {
    expect(tidy("progress 3/4\r")).toBe("progress 3/4\r");
  });
});
