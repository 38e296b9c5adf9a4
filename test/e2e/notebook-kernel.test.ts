/** The committed kernel, driven by nbconvert as a user would: repairs, counts, error texts, pictures. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ExecutedCell, executeCells, root } from "./notebook.js";

const cells = [
  'import { isLimpidError, notBuilt, show, viz } from "limpid";',
  "const view = viz.heatmap([[1, 2], [3, -4]], { title: 'Four' });\nawait show(view);",
  "view",
  "const y = 5;\nconst options = { k: 3 };",
  "const o = { y };\nconst { k: three } = options;\nconsole.log(o, three);",
  "const seven = await (Promise.resolve(7));\nconsole.log(seven);",
  "for await (const z of [1, 2]) console.log(z);",
  "const text: string = view;",
  "console.log('runs after an error');",
  "throw notBuilt('a.b', 'a part');",
  "console.log('runs after another');",
];

describe("the kernel in a checkout", () => {
  let run: readonly ExecutedCell[] = [];
  beforeAll(async () => {
    run = await executeCells(cells);
  }, 180_000);
  const cell = (index: number): ExecutedCell => run[index] ?? expect.fail(`cell ${index} is missing`);

  test("every cell has run and has its execution count", () => {
    expect(run.map(({ executionCount }) => executionCount)).toEqual(cells.map((_, i) => i + 1));
  });
  test("show puts picture and text into one output, and the cell prints one line", () => {
    expect(Object.keys(cell(1).displays[0] ?? {}).toSorted()).toEqual(["text/html", "text/plain"]);
    expect(cell(1).displays[0]?.["text/html"]).toContain("data:image/svg+xml;base64,");
    expect(cell(1).stdout).toBe("Four: heatmap, y (2) × x (2); −4 to 3; largest at y 1, x 1: −4.\n");
  });
  test("a view as the last expression prints its text", () => {
    expect(cell(2).stdout).toContain("Four\nheatmap, y (2) × x (2); −4 to 3");
  });
  test("shorthand and renaming work across cells", () => {
    expect(cell(4).stdout).toBe("{ y: 5 } 3\n");
  });
  test("await before a parenthesis and for-await work at top level", () => {
    expect(cell(5).stdout).toBe("7\n");
    expect(cell(6).stdout).toBe("1\n2\n");
  });
  test("a type error stops its cell and says where", () => {
    expect(cell(7).stderr).toBe("1:7 - Type 'View' is not assignable to type 'string'.\n");
  });
  test("cells after an error still run", () => {
    expect([cell(8).stdout, cell(10).stdout]).toEqual(["runs after an error\n", "runs after another\n"]);
  });
  test("an error's text names the part and no folder of this machine", () => {
    expect(cell(9).stderr).toMatch(/^NotBuiltError: a\.b: got a call to a part, which is not built yet;/);
    expect(cell(9).stderr).not.toContain(root);
    expect(cell(9).stderr).not.toContain("node_modules/tslab");
  });
});

describe("the kernel elsewhere", () => {
  const folder = mkdtempSync(join(tmpdir(), "limpid-project-"));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test("in a folder where the package is installed, it finds tslab and the package's types", async () => {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules", "limpid"), "junction");
    writeFileSync(join(folder, "package.json"), "{}");
    const installed = join(folder, "node_modules", "limpid", "jupyter");
    const [cell] = await executeCells(['import { viz } from "limpid";\nconst n: number = viz.bars([1]).spec.v;\nn'], {
      folder,
      jupyterPath: installed,
    });
    expect(cell).toMatchObject({ stdout: "1\n", stderr: "" });
  }, 120_000);

  test("the first failing cell ends a run without --allow-errors, and the message says what happened", async () => {
    await expect(
      executeCells(["const a: string = 1;", "console.log(1)"], { folder, allowErrors: false }),
    ).rejects.toThrow(/TypeScriptError: 1:7 - Type 'number' is not assignable to type 'string'/);
  }, 120_000);

  test("the kernelspec names no folder of any machine", () => {
    const spec = readFileSync(join(root, "jupyter/kernels/tslab/kernel.json"), "utf8");
    expect(JSON.parse(spec)).toMatchObject({ argv: ["node", "{resource_dir}/launch.cjs", "{connection_file}"] });
  });
});
