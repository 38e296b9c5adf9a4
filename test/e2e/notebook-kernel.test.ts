/** The committed kernel, driven by nbconvert as a user would: each repair of tslab has a cell. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ExecutedCell, executeCells, root } from "./notebook.js";

/** Executed in this order, in one kernel, with errors allowed. */
const cells = {
  unloaded:
    "const loaded = () => Object.keys(require.cache).filter((p) => /dist.index\\.js$/.test(p)).length;\nloaded()",
  plainPromise: "Promise.resolve(5)",
  imports: 'import { InputError, isLimpidError, ones, show, tensor, viz } from "limpid";\nloaded()',
  show: "const view = viz.heatmap([[1, 2], [3, -4]], { title: 'Four' });\nawait show(view);",
  shown: "await show(view)",
  view: "view",
  viewPromise: "new Promise<typeof view>((resolve) => setTimeout(resolve, 30, view))",
  result: "const result = { toView: () => view, toString: () => 'a result' };\nresult",
  resultThatFails: "({ toView: () => { throw new RangeError('no view today'); } })",
  tensor: "tensor([1, 2, 3])",
  bigTensor: "ones([2, 2, 2, 2])",
  promise: "Promise.resolve({ answer: 42 })",
  slowView: "new Promise<typeof view>((resolve) => setTimeout(resolve, 700, view))",
  slowValue: "new Promise((resolve) => setTimeout(resolve, 700, { answer: 44 }))",
  slowFailure:
    "new Promise((resolve) => setTimeout(resolve, 500, { toView: () => { throw new RangeError('late'); } }))",
  rejected: "const later = Promise.reject(new Error('it went wrong'));\nlater",
  value: "({ answer: 43 })",
  earlier: [
    "interface Options { readonly k: number; readonly deep: { readonly inner: number } }",
    "const y = 5;",
    "let z = 0;",
    "const options: Options = { k: 3, deep: { inner: 4 } };",
  ].join("\n"),
  shorthand: "const o = { y };\nconsole.log(o, [{ y, z }].length);",
  renaming: "const { k: three, deep: { inner: four } } = options;\nconsole.log(three, four);",
  parameter: "const pick = ({ k: kk }: Options) => kk;\nconsole.log(pick(options));",
  target: "({ k: z } = options);\nconst first = z;\n({ deep: { inner: z } } = options);\nconsole.log(first, z);",
  shorthandTarget: "({ z = 8 } = {} as { z?: number });\nconsole.log(z);",
  loopTarget: "for ({ k: z } of [options, options]) console.log(z);",
  awaitParenthesis: "const seven = await (Promise.resolve(7));\nconsole.log(seven);",
  awaitList: "const list = await [Promise.resolve(8)];\nconsole.log(list.length);",
  forAwait: "for await (const each of [1, 2]) console.log(each);",
  typeError: "const { k: k3 } = options; const text: string = view;",
  typeErrorAfterAwait: "const eight = await (Promise.resolve(8)); const words: string = eight;",
  afterTypeError: "console.log('runs after an error');",
  failing: [
    "type Kept = { [name: string]: number };",
    "",
    "// A comment that the compiler drops.",
    "function fail(kept: Kept): number {",
    "  interface Local { readonly a: number }",
    "  const local: Local = { a: kept.a };",
    "  if (local.a > 0) throw new TypeError(`a is ${local.a}`, { cause: new RangeError('below') });",
    "  return local.a;",
    "}",
    "fail({ a: 0 })",
  ].join("\n"),
  thrown: "const before = 1;\nconst { k: k4 } = options; fail({ a: before });",
  afterThrown: "console.log('runs after another');",
  thrownLater: "await (async () => {\n  await null;\n  fail({ a: 2 });\n})();",
  thrownValue: "throw { odd: true };",
  systemError: "import { readFileSync } from 'fs';\nreadFileSync('./missing.txt')",
  refused: "throw new InputError({ where: 'a.b', got: 'nothing', expected: 'a part', fix: 'Give one.' });",
  printed: "try { fail({ a: 3 }); } catch (error) { console.error(error); }",
  last: "console.log('the end');",
};
type Name = keyof typeof cells;

/** The column, from 1, at which a text first stands in a cell. */
function columnOf(name: Name, text: string): number {
  const line = cells[name].split("\n").find((one) => one.includes(text)) ?? expect.fail(`${name} has no ${text}`);
  return line.indexOf(text) + 1;
}

describe("the kernel in a checkout", () => {
  let run: readonly ExecutedCell[] = [];
  beforeAll(async () => {
    run = await executeCells(Object.values(cells));
  }, 180_000);
  const cell = (name: Name): ExecutedCell => run[Object.keys(cells).indexOf(name)] ?? expect.fail(`no cell ${name}`);
  const forms = (name: Name): readonly string[][] =>
    cell(name).displays.map((bundle) => Object.keys(bundle).toSorted());

  test("every cell has run and has its execution count", () => {
    expect(run.map(({ executionCount }) => executionCount)).toEqual(run.map((_, i) => i + 1));
    expect(run.length).toBe(Object.keys(cells).length);
  });

  describe("a last expression", () => {
    test("loads limpid only when a cell imports it", () => {
      expect([cell("unloaded").stdout, cell("imports").stdout]).toEqual(["0\n", "1\n"]);
    });
    test("that was shown prints one line, and its picture is there once", () => {
      expect(forms("show")).toEqual([["text/html", "text/plain"]]);
      expect(cell("show").displays[0]?.["text/html"]).toMatch(/data:image\/(?:png|svg\+xml);base64,/);
      expect(forms("shown")).toEqual([["text/html", "text/plain"]]);
      expect(cell("shown").stdout).toMatch(/^Four: .*\n$/);
    });
    test.each(["view", "viewPromise", "result"] as const)(
      "that is drawable (%s) is shown with picture and text",
      (name) => {
        expect(forms(name)).toEqual([["text/html", "text/plain"]]);
        expect(cell(name).displays[0]?.["text/plain"]).toContain("Four");
        expect(cell(name)).toMatchObject({ stdout: "", stderr: "" });
      },
    );
    test("that is a tensor is drawn, or printed when it has too many axes", () => {
      expect(forms("tensor")).toEqual([["text/html", "text/plain"]]);
      expect(cell("bigTensor")).toMatchObject({ displays: [], stderr: "" });
      expect(cell("bigTensor").stdout).toMatch(/^Tensor float32 \[/);
    });
    test("of any other kind is printed as tslab prints it", () => {
      expect(cell("value")).toMatchObject({ displays: [], stdout: "{ answer: 43 }\n" });
      expect(cell("plainPromise").stdout).toBe("Promise { 5 }\n");
    });
    test("that is a promise is awaited once limpid is imported, and fails its cell when it rejects", () => {
      expect(cell("promise").stdout).toBe("{ answer: 42 }\n");
      expect(cell("rejected").error).toMatchObject({ ename: "Error", evalue: "it went wrong" });
    });
    test("that takes long leaves one output: the picture, or the value in the place of the waiting line", () => {
      expect(forms("slowView")).toEqual([["text/html", "text/plain"]]);
      expect(cell("slowView").displays[0]?.["text/plain"]).toContain("Four");
      const { stdout, displays } = cell("slowValue");
      expect([stdout, ...displays.map((bundle) => bundle["text/plain"])].join("").trim()).toBe("{ answer: 44 }");
    });
    test("whose drawing fails is an error", () => {
      expect(cell("resultThatFails").error).toMatchObject({ ename: "RangeError", evalue: "no view today" });
      expect(cell("slowFailure").error).toMatchObject({ ename: "RangeError", evalue: "late" });
    });
  });

  describe("code that tslab miscompiles", () => {
    test.each([
      ["shorthand", "{ y: 5 } 1\n"],
      ["renaming", "3 4\n"],
      ["parameter", "3\n"],
      ["target", "3 4\n"],
      ["shorthandTarget", "8\n"],
      ["loopTarget", "3\n3\n"],
      ["awaitParenthesis", "7\n"],
      ["awaitList", "1\n"],
      ["forAwait", "1\n2\n"],
    ] as const)("works: %s", (name, stdout) => {
      expect(cell(name)).toMatchObject({ stdout, stderr: "" });
    });
  });

  describe("an error", () => {
    test("of types stops its cell and names the line and column that the user sees", () => {
      const text = `1:${columnOf("typeError", "text")} - Type 'View' is not assignable to type 'string'.`;
      expect(cell("typeError").error).toEqual({ ename: "TypeScriptError", evalue: text, traceback: [text] });
      expect(cell("typeErrorAfterAwait").error?.evalue).toBe(
        `1:${columnOf("typeErrorAfterAwait", "words")} - Type 'number' is not assignable to type 'string'.`,
      );
    });
    test("does not keep later cells from running", () => {
      expect(cell("afterTypeError").stdout).toBe("runs after an error\n");
      expect(cell("afterThrown").stdout).toBe("runs after another\n");
      expect(cell("last").stdout).toBe("the end\n");
    });
    test("names cells and lines of the source, of every cell on the way, and its cause", () => {
      const [defined, called, later] = [cell("failing"), cell("thrown"), cell("thrownLater")];
      const fail = `In[${defined.executionCount}]:7`;
      const call = `In[${called.executionCount}]:2:${columnOf("thrown", "fail(")}`;
      expect(called.error).toEqual({
        ename: "TypeError",
        evalue: "a is 1",
        traceback: [
          "TypeError: a is 1",
          `    at fail (${fail}:${columnOf("failing", "new TypeError")})`,
          `    at ${call}`,
          "  caused by RangeError: below",
          `      at fail (${fail}:${columnOf("failing", "new RangeError")})`,
          `      at ${call}`,
        ],
      });
      expect(later.error?.traceback).toContain(`    at In[${later.executionCount}]:3:3`);
    });
    test("that is no Error is shown as it is", () => {
      expect(cell("thrownValue").error).toMatchObject({ ename: "Thrown", evalue: "{ odd: true }" });
    });
    test("keeps the fields of Node's errors", () => {
      expect(cell("systemError").error?.evalue).toMatch(/^ENOENT: no such file or directory/);
      expect(cell("systemError").error?.traceback[1]).toContain("code: 'ENOENT'");
    });
    test("of limpid's says its sentence once, without its fields", () => {
      expect(cell("refused").error?.ename).toBe("InputError");
      expect(cell("refused").stderr).toMatch(/^InputError: a\.b: got nothing; expected a part\. Give one\./);
      expect(cell("refused").stderr).not.toContain("where:");
    });
    test("that a cell prints has tidy frames too", () => {
      const [defined, printed] = [cell("failing"), cell("printed")];
      expect(printed.stderr).toMatch(/^TypeError: a is 3\n/);
      expect(printed.stderr).toContain(`at fail (In[${defined.executionCount}]:7:26)`);
      expect(printed.stderr).toContain(`at In[${printed.executionCount}]:1:7`);
    });
    test("names no folder of this machine and no frame of the kernel", () => {
      const texts = run.map(({ stderr }) => stderr).join("\n");
      for (const hidden of [root, "tslab", "node:vm", "evalmachine"]) expect(texts).not.toContain(hidden);
    });
  });
});

describe("the kernel elsewhere", () => {
  const folder = mkdtempSync(join(tmpdir(), "limpid-project-"));
  const installed = join(folder, "node_modules", "limpid", "jupyter");
  beforeAll(() => {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules", "limpid"), "junction");
    writeFileSync(join(folder, "package.json"), "{}");
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test("in a folder where the package is installed, it finds tslab and the package's types, and draws", async () => {
    const code = ['import { viz } from "limpid";\nconst n: number = viz.bars([1]).spec.v;\nn', "viz.bars([1])"];
    const [typed, drawn] = await executeCells(code, { folder, jupyterPath: installed });
    expect(typed).toMatchObject({ stdout: "1\n", stderr: "" });
    expect(Object.keys(drawn?.displays[0] ?? {})).toContain("text/html");
  }, 120_000);

  test("the first failing cell ends a run without --allow-errors, and the message says what happened", async () => {
    const code = ["const a: string = 1;", "console.log(1)"];
    await expect(executeCells(code, { folder, jupyterPath: installed, allowErrors: false })).rejects.toThrow(
      /TypeScriptError: 1:7 - Type 'number' is not assignable to type 'string'/,
    );
  }, 120_000);

  test("the kernelspec names no folder of any machine", () => {
    const spec = readFileSync(join(root, "jupyter/kernels/tslab/kernel.json"), "utf8");
    expect(JSON.parse(spec)).toMatchObject({ argv: ["node", "{resource_dir}/launch.cjs", "{connection_file}"] });
  });
});
