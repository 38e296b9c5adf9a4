/** Cells load the package with `require`, which refuses a top-level await anywhere in the graph of imports. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import ts from "@tslab/typescript-for-tslab";
import { describe, expect, test } from "vitest";
import { root } from "./cell-compiler.js";

const entry = join(root, "dist", "index.js");

/** Returns the files of dist/ that the entry imports, itself included, with their parsed text. */
function ownGraph(): ReadonlyMap<string, ts.SourceFile> {
  const found = new Map<string, ts.SourceFile>();
  const pending = [entry];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (found.has(path)) continue;
    const file = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
    found.set(path, file);
    for (const { fileName } of ts.preProcessFile(file.text).importedFiles) {
      if (fileName.startsWith(".")) pending.push(resolve(dirname(path), fileName));
    }
  }
  return found;
}

function hasTopLevelAwait(node: ts.Node): boolean {
  if (ts.isFunctionLike(node) || ts.isClassLike(node)) return false;
  if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined)) return true;
  return ts.forEachChild(node, (child) => hasTopLevelAwait(child) || undefined) ?? false;
}

describe("loading the built package", () => {
  test("no file of ours awaits at its top level", () => {
    const graph = ownGraph();
    expect(graph.size).toBeGreaterThan(10);
    expect([...graph].filter(([, file]) => hasTopLevelAwait(file)).map(([path]) => path)).toEqual([]);
  });

  test("the search for top-level awaits finds one", () => {
    const file = ts.createSourceFile("a.js", "export const a = { b: await (1) };", ts.ScriptTarget.Latest, true);
    expect(hasTopLevelAwait(file)).toBe(true);
  });

  test("require and import by the package's own name give one module, packages of others included", () => {
    const script = 'import("limpid").then((m) => console.log(require("limpid").show === m.show))';
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
      cwd: join(root, "notebooks"),
      encoding: "utf8",
    });
    expect(stdout.trim(), stderr).toBe("true");
  });

  test("importing does no work: it prints nothing and leaves no handle open", () => {
    const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", 'import "limpid"'], {
      cwd: root,
      encoding: "utf8",
      timeout: 20_000,
    });
    expect({ stdout, status, stderr: stderr.replace(/^\(node:.*\n?|^\(Use `node.*\n?/gm, "") }).toEqual({
      stdout: "",
      status: 0,
      stderr: "",
    });
  });

  test("the package contains what its exports name", () => {
    const { exports: names } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly exports: { readonly ".": { readonly types: string; readonly default: string } };
    };
    expect([names["."].types, names["."].default].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
