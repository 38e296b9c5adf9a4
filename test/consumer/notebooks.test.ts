/** The cells of every notebook against the built declarations, as the kernel would check them. */
import { createRequire } from "node:module";
import { join } from "node:path";
import ts from "@tslab/typescript-for-tslab";
import { describe, expect, test } from "vitest";
import { cellsOf, compile, complaints, joinCells, notebooks, root } from "./cell-compiler.js";

const { createRewrite } = createRequire(import.meta.url)(join(root, "jupyter/kernels/tslab/rewrite.cjs")) as {
  readonly createRewrite: (compiler: typeof ts) => (code: string) => { readonly code: string };
};

describe("notebook cells under TypeScript 5.0.4", () => {
  test("the compiler is the one that tslab brings", () => {
    expect(ts.version).toBe("5.0.4");
  });

  test("a type error in a cell is found, so silence means something", () => {
    const wrong = joinCells(['import { viz } from "limpid";', "const text: string = viz.heatmap([[1]]);"]);
    expect(complaints(compile(wrong, false)).join()).toContain("Type 'View' is not assignable to type 'string'");
  });

  test("later cells see earlier names and may declare them anew", () => {
    const cells = [
      "const a = 1;",
      'const b = a + 1;\nconst c = "x";',
      "const a: string = c;\nawait Promise.resolve(b);",
    ];
    expect(complaints(compile(joinCells(cells), true))).toEqual([]);
  });

  for (const notebook of notebooks) {
    for (const strict of [false, true]) {
      test(`${notebook} type-checks${strict ? " in strict mode" : ""}`, () => {
        expect(complaints(compile(joinCells(cellsOf(notebook)), strict))).toEqual([]);
      }, 120_000);
    }

    test(`${notebook} needs no repair by our launcher, so it runs on a stock tslab`, () => {
      const rewrite = createRewrite(ts);
      for (const cell of cellsOf(notebook)) {
        expect(rewrite(cell).code.replace("if (0) await 0;", "")).toBe(cell);
        expect(cell).not.toMatch(/^(?:.*=\s*)?await\s*[([]|^for await/m);
      }
    });
  }
});
