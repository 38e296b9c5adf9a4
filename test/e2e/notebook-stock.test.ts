/** Notebooks of the project on a tslab without the launcher: they run, and what would be drawn prints text. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ExecutedCell, readExecuted, root, writeNotebook } from "./notebook.js";

const files = readdirSync(join(root, "notebooks"), { withFileTypes: true }).filter((entry) => entry.isFile());
// What differs between the kernels is how cells are compiled and shown. Every notebook runs on ours (`notebooks.test.ts`) and
// type-checks as this one does (`consumer/notebooks`); here those run that together use every way of showing, and take least.
const shown = /^(00-five-questions|01-first-look|02-views|05-lenses|08-similarity|11-circuit)/;
const notebooks = files.map(({ name }) => name).filter((name) => name.endsWith(".ipynb") && shown.test(name));
const jupyter = "jupyter";
const project = mkdtempSync(join(tmpdir(), "limpid-stock-"));

beforeAll(() => {
  const kernel = join(project, "jupyter", "kernels", "tslab");
  const argv = ["node", join(root, "node_modules/tslab/bin/tslab"), "kernel", "--config-path", "{connection_file}"];
  mkdirSync(kernel, { recursive: true });
  writeFileSync(
    join(kernel, "kernel.json"),
    JSON.stringify({ argv, ["display_name"]: "stock", language: "typescript" }),
  );
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules", "limpid"), "junction");
  symlinkSync(join(root, "node_modules", "tslab"), join(project, "node_modules", "tslab"), "junction");
  // What notebooks read lies beside them.
  for (const { name } of files) cpSync(join(root, "notebooks", name), join(project, name));
  // Drawn by the launcher, printed here; and the last cell shows that this kernel is not ours.
  writeNotebook(project, [
    'import { tensor, viz } from "limpid";\nviz.bars([1, 2, 3], { title: "Three" })',
    "tensor([1, 2, 3])",
    "const y = 1;",
    "({ y })",
  ]);
  const options = ["--to", "notebook", "--execute", "--allow-errors", "--output-dir", join(project, "executed")];
  const folders = ["JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"];
  const { status, stderr } = spawnSync(jupyter, ["nbconvert", ...options, "cells.ipynb", ...notebooks], {
    cwd: project,
    encoding: "utf8",
    env: {
      ...process.env,
      ...Object.fromEntries(folders.map((name) => [name, join(project, name)])),
      JUPYTER_PATH: join(project, "jupyter"),
    },
  });
  expect(status, stderr).toBe(0);
}, 600_000);
afterAll(() => {
  rmSync(project, { recursive: true });
});

function executed(name: string): readonly ExecutedCell[] {
  return readExecuted(join(project, "executed", name));
}

describe("on a stock tslab", () => {
  test("a last expression that our kernel draws prints its text", () => {
    const [view, drawn, , unrepaired] = executed("cells.ipynb");
    expect(view).toMatchObject({ displays: [], stderr: "" });
    expect(view?.stdout).toContain("Three");
    expect(drawn).toMatchObject({ displays: [], stderr: "" });
    expect(drawn?.stdout).toMatch(/^Tensor /);
    expect(unrepaired?.stderr).toContain("y is not defined");
  });

  test.each(notebooks)("%s runs as on our kernel: nothing fails", (name) => {
    const cells = executed(name);
    const failures = cells.filter(({ stderr }) => /^\w*Error\b|^\d+:\d+ - /m.test(stderr)).map(({ stderr }) => stderr);
    expect(failures).toEqual([]);
    expect(cells.length).toBeGreaterThan(0);
    // Every picture has its text beside it.
    for (const { displays } of cells) {
      for (const bundle of displays) expect(bundle["text/plain"]?.trim()).not.toBe("");
    }
  });
});
