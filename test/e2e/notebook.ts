/** Runs notebook cells through nbconvert with the project's kernel and returns what each wrote. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

/** What one cell did. */
export interface ExecutedCell {
  readonly executionCount: number | null;
  readonly source: string;
  readonly stdout: string;
  /** What it wrote to stderr, and the text of its error. */
  readonly stderr: string;
  /** Its error, when it failed. */
  readonly error?: Readonly<Record<"ename" | "evalue", string>> & { readonly traceback: readonly string[] };
  /** Each rich output by MIME type. */
  readonly displays: readonly Readonly<Record<string, string>>[];
}

/** Options of {@link executeCells}. */
export interface ExecuteOptions {
  /** Where the notebook lies; default: inside the checkout. */
  readonly folder?: string;
  readonly allowErrors?: boolean;
  /** Value of JUPYTER_PATH; default: the checkout's. */
  readonly jupyterPath?: string;
  /** Where to write the executed notebook as a page, too. */
  readonly page?: string;
}

type Execute = (
  source: string,
  target: string,
  options: { readonly allowErrors: boolean; readonly env?: Readonly<Record<string, string>> },
) => Promise<{ readonly code: number; readonly output: string }>;

interface RawOutput extends Partial<NonNullable<ExecutedCell["error"]>> {
  readonly name?: string;
  readonly text?: string | readonly string[];
  readonly data?: Readonly<Record<string, string | readonly string[]>>;
}

type RawCell = Readonly<Record<"cell_type", string>> &
  Readonly<Record<"source", string | readonly string[]>> &
  Readonly<Record<"execution_count", number | null>> & { readonly outputs: readonly RawOutput[] };

const joined = (text: string | readonly string[] | undefined): string => [text ?? ""].flat().join("");

function executed(cell: RawCell): ExecutedCell {
  const stream = (name: string): string =>
    cell.outputs.map((output) => (output.name === name ? joined(output.text) : "")).join("");
  const displays = cell.outputs.flatMap(({ data }) =>
    data === undefined ? [] : [Object.fromEntries(Object.entries(data).map(([mime, text]) => [mime, joined(text)]))],
  );
  const errors = cell.outputs.flatMap(({ ename, evalue, traceback }) =>
    ename === undefined || evalue === undefined || traceback === undefined ? [] : [{ ename, evalue, traceback }],
  );
  const stderr = stream("stderr") + errors.map(({ traceback }) => `${traceback.join("\n")}\n`).join("");
  const { execution_count: executionCount, source } = cell;
  const found = { executionCount, source: joined(source), stdout: stream("stdout"), stderr, displays };
  return errors[0] === undefined ? found : { ...found, error: errors[0] };
}

/** Returns what each code cell of an executed notebook did. */
export function readExecuted(path: string): readonly ExecutedCell[] {
  const { cells } = JSON.parse(readFileSync(path, "utf8")) as { readonly cells: readonly RawCell[] };
  return cells.filter((cell) => cell.cell_type === "code").map(executed);
}

/** Executes a notebook file; rejects with nbconvert's message when it stops. */
export async function executeNotebookFile(
  path: string,
  options: ExecuteOptions = {},
): Promise<readonly ExecutedCell[]> {
  const module = (await import(pathToFileURL(join(root, "scripts/lib/jupyter.mjs")).href)) as {
    readonly executeNotebook: Execute;
  };
  mkdirSync(join(root, "out"), { recursive: true });
  const scratch = mkdtempSync(join(root, "out", "executed-"));
  try {
    const target = join(scratch, "executed.ipynb");
    const { allowErrors = true, jupyterPath } = options;
    const env = jupyterPath === undefined ? {} : { JUPYTER_PATH: jupyterPath };
    const { code, output } = await module.executeNotebook(path, target, { allowErrors, env });
    if (code !== 0) throw new Error(output);
    if (options.page !== undefined) await writePage(target, options.page);
    return readExecuted(target);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function writePage(notebook: string, target: string): Promise<void> {
  const module = (await import(pathToFileURL(join(root, "scripts/lib/notebook-page.mjs")).href)) as {
    readonly writeNotebookPage: (notebook: string, target: string, title: string) => Promise<void>;
  };
  await module.writeNotebookPage(notebook, target, "notebook");
}

/** Writes a notebook of code cells into `folder` and returns its path. */
export function writeNotebook(folder: string, cells: readonly string[]): string {
  const path = join(folder, "cells.ipynb");
  const metadata = { kernelspec: { name: "tslab", language: "typescript", ["display_name"]: "TypeScript (limpid)" } };
  const body = cells.map((source, i) => ({
    ["cell_type"]: "code",
    id: `cell-${i}`,
    metadata: {},
    source,
    outputs: [],
    ["execution_count"]: null,
  }));
  writeFileSync(path, JSON.stringify({ nbformat: 4, ["nbformat_minor"]: 5, metadata, cells: body }));
  return path;
}

/** Executes cells given as text. */
export async function executeCells(
  cells: readonly string[],
  options: ExecuteOptions = {},
): Promise<readonly ExecutedCell[]> {
  mkdirSync(join(root, "out"), { recursive: true });
  const folder = mkdtempSync(join(options.folder ?? join(root, "out"), "cells-"));
  try {
    return await executeNotebookFile(writeNotebook(folder, cells), options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
