import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../../", import.meta.url));
const out = mkdtempSync(join(tmpdir(), "limpid-compiled-"));
const door = join(out, "runtime/index.js");

beforeAll(async () => {
  const entryPoints = ["core", "graph", "runtime"].flatMap((folder) => sources(join(root, "src", folder)));
  await build({
    entryPoints,
    outdir: out,
    outbase: join(root, "src"),
    format: "esm",
    platform: "node",
    target: "node20",
  });
  symlinkSync(join(root, "node_modules"), join(out, "node_modules"));
  writeFileSync(join(out, "package.json"), '{ "type": "module" }');
});
afterAll(() => rmSync(out, { recursive: true }));

function sources(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".ts")).map((name) => join(folder, name));
}

const script = `
  const x = { name: "x", dtype: "float32", shape: ["n"] };
  const y = { name: "y", dtype: "float32", shape: ["n"] };
  const add = { op: "Add", domain: "", inputs: [x, x], outputs: [y], attributes: {} };
  const graph = { inputs: [x], initializers: [], nodes: [add], outputs: [{ name: "y", value: y }] };
  const engine = Engine.create();
  engine.run({ segments: [graph], outputs: ["y"] }, { x: { dtype: "float32", shape: [1], data: Float32Array.of(21) } })
    .then(({ y }) => console.log(y.data[0]));
`;

describe("the compiled package", () => {
  test("starts its worker when imported", async () => {
    const code = `import { Engine } from ${JSON.stringify(pathToFileURL(door).href)};${script}`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code]);
    expect(stdout).toBe("42\n");
  });

  test("starts its worker when required, as a notebook cell does", async () => {
    const code = `const { Engine } = require(${JSON.stringify(door)});${script}`;
    const { stdout } = await run(process.execPath, ["--eval", code]);
    expect(stdout).toBe("42\n");
  });

  test("does not load onnxruntime in the main thread", async () => {
    const code = `const { Engine } = require(${JSON.stringify(door)});${script}
      process.on("exit", () => {
        const loaded = process.report.getReport().sharedObjects.filter((name) => name.includes("onnxruntime"));
        console.log(Object.keys(require.cache).filter((name) => name.includes("onnxruntime")).length, loaded.length > 0);
      });`;
    const { stdout } = await run(process.execPath, ["--eval", code]);
    expect(stdout).toBe("42\n0 true\n");
  });
});
