/** Type-checks code as notebook cells are: TypeScript 5.0.4, old resolution, the package's declarations in dist/. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "@tslab/typescript-for-tslab";

export const root: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");
const packageDeclarations = join(root, "dist", "index.d.ts");

/** tslab's own options, but for `strict` and for files in memory. */
function options(strict: boolean): ts.CompilerOptions {
  return {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2022.d.ts"],
    types: ["node"],
    esModuleInterop: true,
    skipLibCheck: true,
    noEmit: true,
    strict,
  };
}

/** Parsed library and package files, shared by all programs of a test file. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** A program over one file in memory, in the folder of the notebooks. */
export function compile(source: string, strict: boolean, others: ReadonlyMap<string, string> = new Map()): ts.Program {
  if (!existsSync(packageDeclarations)) throw new Error("dist/ is missing: run npm run build");
  const main = join(root, "notebooks", "__cells__.ts");
  const files = new Map([[main, source], ...others]);
  const host = ts.createCompilerHost(options(strict));
  const disk = ts.createCompilerHost(options(strict), true);
  host.readFile = (path) => files.get(path) ?? disk.readFile(path);
  host.fileExists = (path) => files.has(path) || disk.fileExists(path);
  host.getSourceFile = (path, language) => {
    const text = files.get(path);
    if (text !== undefined) return ts.createSourceFile(path, text, language, true);
    if (!parsed.has(path)) parsed.set(path, disk.getSourceFile(path, language));
    return parsed.get(path);
  };
  host.getCurrentDirectory = () => join(root, "notebooks");
  return ts.createProgram([main], options(strict), host);
}

/** Returns every complaint about the file in memory, as `line:column text`. */
export function complaints(program: ts.Program): readonly string[] {
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
    const { file, start } = diagnostic;
    if (file === undefined || start === undefined) return text;
    const { line, character } = file.getLineAndCharacterOfPosition(start);
    return `${line + 1}:${character + 1} ${text}`;
  });
}

/** Returns the code of each code cell. */
export function cellsOf(notebook: string): readonly string[] {
  const { cells } = JSON.parse(readFileSync(join(root, "notebooks", notebook), "utf8")) as {
    readonly cells: readonly Readonly<Record<"cell_type" | "source", string | readonly string[]>>[];
  };
  return cells.filter((cell) => cell.cell_type === "code").map((cell) => [cell.source].flat().join(""));
}

export const notebooks: readonly string[] = readdirSync(join(root, "notebooks"))
  .filter((name) => name.endsWith(".ipynb"))
  .sort();

/**
 * Returns one module for a notebook: imports first, then each cell in a block within the block of the one before, so
 * that a later cell sees the names of earlier cells and may declare them anew.
 */
export function joinCells(cells: readonly string[]): string {
  const imports = new Set<string>();
  const bodies = cells.map((cell) => {
    const file = ts.createSourceFile("cell.ts", cell, ts.ScriptTarget.Latest, true);
    let body = cell;
    for (const statement of file.statements.filter(ts.isImportDeclaration)) {
      imports.add(statement.getText());
      body = body.replace(statement.getText(), "");
    }
    return body;
  });
  return [...imports, ...bodies.map((body) => `{\n${body}\n`), "}".repeat(cells.length), "export {};"].join("\n");
}
