/** `npm start` as a user runs it, the page it writes, and what it says where something is missing. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { root } from "./notebook.js";

const scratch = mkdtempSync(join(tmpdir(), "limpid-start-test-"));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe("npm start", () => {
  test("runs the first notebook and writes one page that needs no network", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/start.mjs"], {
      cwd: root,
      encoding: "utf8",
    });
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/\d+ cells run in [\d.]+ s.*; [\d.]+ s in all\.\nPage: .*first-look\.html\n/);
    expect(stdout).toMatch(/\nRedundancyReport[^\n]*tiny[\s\S]*\nReport: .*redundancy\/index\.html/);
    const report = readFileSync(join(root, "out", "redundancy", "index.html"), "utf8");
    expect(report).toContain("What tiny could lose");
    const page = readFileSync(join(root, "out", "first-look.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).not.toMatch(/<script\b[^>]*\bsrc\b|<link|<iframe|src="(?!data:)|@import|url\(/);
  }, 300_000);

  test("says exactly what to install where Jupyter is missing", () => {
    const tools = join(scratch, "bin");
    mkdirSync(tools);
    symlinkSync(process.execPath, join(tools, "node"));
    const url = pathToFileURL(join(root, "scripts/lib/jupyter.mjs")).href;
    const script = `import { ensureJupyter } from ${JSON.stringify(url)}; ensureJupyter().catch((error) => console.log(error.message));`;
    const run = spawnSync(join(tools, "node"), ["--input-type=module", "-e", script], {
      env: { PATH: tools },
      encoding: "utf8",
    });
    for (const way of [
      "sudo apt-get install --no-install-recommends jupyter-nbconvert",
      "pip install",
      "uv tool install",
      "VS Code",
    ]) {
      expect(run.stdout, run.stderr).toContain(way);
    }
  });

  test("a page that would fetch something is refused", async () => {
    const { writeNotebookPage } = (await import(pathToFileURL(join(root, "scripts/lib/notebook-page.mjs")).href)) as {
      readonly writeNotebookPage: (notebook: string, target: string, title: string) => Promise<void>;
    };
    const source = "![a picture](https://example.org/a.png)";
    const cells = [{ ["cell_type"]: "markdown", id: "a", metadata: {}, source }];
    const notebook = join(scratch, "remote.ipynb");
    writeFileSync(notebook, JSON.stringify({ nbformat: 4, ["nbformat_minor"]: 5, metadata: {}, cells }));
    const target = join(scratch, "remote.html");
    await expect(writeNotebookPage(notebook, target, "remote")).rejects.toThrow(
      /would not be self-contained: src="https:/,
    );
    expect(existsSync(target)).toBe(false);
  }, 60_000);
});

describe("the layer rules", () => {
  test("find an import that goes up, a side door, a cycle, and packages away from home", () => {
    const folder = join(scratch, "layers");
    const files = {
      "tsconfig.json": "{}",
      "package.json": '{ "dependencies": { "onnxruntime-node": "*", "tslab": "*" } }',
      "src/viz/index.ts": "export const view = 1;",
      "src/core/index.ts": "export {};",
      "src/core/errors.ts": "export const e = 1;",
      "src/tensor/index.ts":
        'export { view } from "../viz/index.js";\nexport { e } from "../core/errors.js";\nexport { b } from "./b.js";\nexport * from "onnxruntime-node";\nexport * from "tslab";',
      "src/tensor/b.ts": 'import { e } from "./index.js";\nexport const b = e;',
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
    const args = [
      join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs"),
      "src",
      "--config",
      join(root, ".dependency-cruiser.cjs"),
    ];
    const { stdout } = spawnSync(process.execPath, [...args, "--output-type", "err"], {
      cwd: folder,
      encoding: "utf8",
    });
    const found = [...new Set([...stdout.matchAll(/error ([\w-]+):/g)].map(([, rule]) => rule))].toSorted();
    expect(found).toEqual([
      "layer-tensor",
      "no-cycles",
      "one-door",
      "only-notebook-knows-tslab",
      "only-runtime-knows-onnxruntime",
    ]);
  }, 60_000);
});
