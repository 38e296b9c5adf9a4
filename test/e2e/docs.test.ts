/** The examples of README.md and docs/: type-checked as notebook cells are, and executed on the embedded model. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile, complaints, joinCells, root } from "../consumer/cell-compiler.js";

/** One fenced block: `run` and `right` must run, `wrong` must throw, `check` must only type-check. */
interface Block {
  readonly kind: "check" | "right" | "run" | "wrong";
  readonly code: string;
}

/** What a page's code did: nothing thrown, or the error's code and message. */
interface Outcome {
  readonly code?: string;
  readonly message?: string;
}

/** Blocks such as ```` ```ts run ```` in the order of the page. */
function blocksOf(markdown: string): readonly Block[] {
  const fences = markdown.matchAll(/^```ts (check|right|run|wrong)\n([\s\S]*?)^```$/gm);
  return [...fences].map(([, kind, code]) => ({ kind: kind as Block["kind"], code: code ?? "" }));
}

function read(...path: readonly string[]): string {
  return readFileSync(join(root, ...path), "utf8");
}

function markdownIn(folder: string): readonly string[] {
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith(".md") && name !== "README.md");
  return names.sort();
}

const pages = ["README.md", ...markdownIn("docs").map((name) => `docs/${name}`)];
const errorPages = markdownIn("docs/errors");
const prelude = /```ts\n([\s\S]*?)```/.exec(read("docs/errors/README.md"))?.[1] ?? "";

/** Code of each block kind of a page, with what error pages assume in front. */
function errorCode(page: string, kind: "right" | "wrong"): readonly string[] {
  const found = blocksOf(read("docs/errors", page)).filter((block) => block.kind === kind);
  return [prelude, ...found.map(({ code }) => code)];
}

/** Imports stand at the top of a module; examples that share one say `await import(…)` for theirs. */
function withoutImports(code: string): string {
  return code.replace(/^import \{ (.*) \} from ("[^"]+");$/gm, "const { $1 } = await import($2);");
}

/** Runs modules one after the other in one process and tells what each threw. */
const runner = `
const outcomes = {};
const [, , ...paths] = process.argv;
console.log = () => {};
process.stdout.write = ((write) => (text, ...rest) => String(text).startsWith("OUTCOMES") ? write.call(process.stdout, text, ...rest) : true)(process.stdout.write);
for (const path of paths) {
  const name = path.split(/[\\\\/]/).at(-1);
  try { await import(path); outcomes[name] = {}; }
  catch (error) { outcomes[name] = { code: error.code, message: String(error.stack ?? error) }; }
}
process.stdout.write("OUTCOMES" + JSON.stringify(outcomes), () => process.exit(0));
`;

const modules = new Map<string, readonly string[]>([
  ...pages.map((page): [string, readonly string[]] => [
    basename(page, ".md"),
    blocksOf(read(page))
      .filter(({ kind }) => kind === "run")
      .map(({ code }) => code),
  ]),
  ...errorPages.flatMap((page): [string, readonly string[]][] => [
    [`wrong.${basename(page, ".md")}`, errorCode(page, "wrong")],
    [`right.${basename(page, ".md")}`, errorCode(page, "right")],
  ]),
]);

let folder = "";
let outcomes: Readonly<Record<string, Outcome>> = {};

beforeAll(() => {
  mkdirSync(join(root, ".cache"), { recursive: true });
  folder = mkdtempSync(join(root, ".cache", "docs-"));
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 };
  const paths = [...modules].map(([name, cells]) => {
    const path = join(folder, `${name}.mjs`);
    writeFileSync(path, ts.transpileModule(joinCells(cells), { compilerOptions: options }).outputText);
    return path;
  });
  writeFileSync(join(folder, "runner.mjs"), runner);
  const { stdout, stderr } = spawnSync(process.execPath, [join(folder, "runner.mjs"), ...paths], {
    cwd: folder,
    encoding: "utf8",
    timeout: 110_000,
  });
  const at = stdout.indexOf("OUTCOMES");
  if (at < 0) throw new Error(`the examples ended early: ${stdout}${stderr}`);
  outcomes = JSON.parse(stdout.slice(at + "OUTCOMES".length)) as Readonly<Record<string, Outcome>>;
}, 120_000);

afterAll(() => {
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

describe("examples of the documentation", () => {
  test.each(pages)("%s: runs as it stands", (page) => {
    expect(outcomes[`${basename(page, ".md")}.mjs`]).toEqual({});
  });

  test.each(pages)(
    "%s: type-checks as notebook cells do",
    (page) => {
      const cells = blocksOf(read(page)).map(({ code }) => code);
      expect(complaints(compile(joinCells(cells), false))).toEqual([]);
    },
    120_000,
  );

  test("most pages have an example that runs", () => {
    const idle = pages.filter((page) => !blocksOf(read(page)).some(({ kind }) => kind === "run"));
    expect(idle.map((page) => basename(page)).sort()).toEqual([
      "autodiff.md",
      "compared.md",
      "decisions.md",
      "papers.md",
    ]);
  });
});

describe("error pages", () => {
  test("there is one for every code, and none besides", () => {
    const codes = [...read("src/core/errors.ts").matchAll(/readonly code = "([A-Z_]+)"/g)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(10);
    expect(errorPages.map((page) => basename(page, ".md"))).toEqual([...codes].sort());
  });

  test.each(errorPages)("%s: says symptom, cause, wrong and right", (page) => {
    const text = read("docs/errors", page);
    for (const part of ["**Symptom.**", "**Cause.**", "```ts wrong", "```ts right"]) expect(text).toContain(part);
  });

  test.each(errorPages)("%s: the wrong example throws that code", (page) => {
    const code = basename(page, ".md");
    const outcome = outcomes[`wrong.${code}.mjs`];
    expect(outcome?.code, outcome?.message).toBe(code);
  });

  test.each(errorPages)("%s: the right example runs", (page) => {
    expect(outcomes[`right.${basename(page, ".md")}.mjs`]).toEqual({});
  });

  test("the right examples type-check as notebook cells do", () => {
    const cells = errorPages.map((page) => `{\n${errorCode(page, "right").slice(1).join("\n")}\n}`);
    expect(complaints(compile(joinCells([prelude, ...cells.map(withoutImports)]), false))).toEqual([]);
  }, 120_000);
});
