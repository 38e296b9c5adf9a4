/** `limpid notebook`: Jupyter on a folder, with the package's own TypeScript kernel and no global state. */
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { InputError, UnsupportedError } from "../core/index.js";
import { readJsonObject } from "../io/index.js";
import type { CliContext } from "./context.js";
import { findJupyter, installAdvice, type JupyterProgram } from "./jupyter.js";
import { integer } from "./options.js";
import { keyValues } from "./print.js";

interface NotebookOptions {
  /** False with `--no-browser`. */
  readonly browser: boolean;
  readonly port?: number;
  readonly check?: boolean;
  readonly json?: boolean;
}

/** What `--check` reports. */
interface Findings {
  readonly folder: string;
  /** The folder that Jupyter is told to look for kernels in. */
  readonly kernels: string;
  readonly kernel: string;
  /** Version of the TypeScript kernel, when it is installed. */
  readonly tslab?: string;
  readonly jupyter?: JupyterProgram;
  /** Whether a notebook in the folder can import the package. */
  readonly isImportable: boolean;
}

const examples = `
Nothing is registered: Jupyter sees the kernel "TypeScript (limpid)" through JUPYTER_PATH, in this run only.

Examples:
  limpid notebook
  limpid notebook ./research --no-browser --port 8890
  limpid notebook --check`;

/** The folder of the package: two above this file, in src/ as in dist/. */
const packageFolder = (): string => fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

function checkFolder(path: string): string {
  const folder = resolve(path);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return folder;
  throw new InputError({
    where: "limpid notebook: DIR",
    got: `${path}, which is no folder`,
    expected: "an existing folder",
    fix: `Make it first: mkdir -p ${path}`,
  });
}

/** Finds a module's file as code in one of `folders` would. */
function find(id: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    try {
      return createRequire(join(folder, "notebook.js")).resolve(id);
    } catch {
      // Not being found here is no error; the next folder may have it.
    }
  }
  return undefined;
}

/** The display name of the committed kernel, and the version of tslab that will run it. */
async function kernelFacts(kernels: string, folder: string): Promise<Pick<Findings, "kernel" | "tslab">> {
  const { display_name: name } = await readJsonObject(join(kernels, "kernels", "tslab", "kernel.json"));
  const manifest = find("tslab/package.json", [packageFolder(), folder]);
  const version = manifest === undefined ? undefined : (await readJsonObject(manifest))["version"];
  return { kernel: String(name), ...(typeof version === "string" ? { tslab: version } : {}) };
}

async function inspect(context: CliContext, folder: string): Promise<Findings> {
  const kernels = join(packageFolder(), "jupyter");
  const place = { env: context.io.env, folder, home: context.io.env["HOME"] ?? homedir(), platform: process.platform };
  const jupyter = await findJupyter(place);
  return {
    folder,
    kernels,
    ...(await kernelFacts(kernels, folder)),
    ...(jupyter === undefined ? {} : { jupyter }),
    isImportable: find("limpid/package.json", [folder]) !== undefined,
  };
}

function describeJupyter(program: JupyterProgram | undefined): string {
  if (program === undefined) return "none found";
  const { kind, command, args, version } = program;
  const name = kind === "lab" ? "JupyterLab" : "Jupyter Notebook";
  const call = [command, ...args].join(" ");
  return version === undefined
    ? `${name} through ${call} (downloaded when first run)`
    : `${name} ${version} at ${call}`;
}

/** Prints what was found; exit code 1 when something that is needed is missing. */
function reportFindings(context: CliContext, found: Findings, asJson: boolean): void {
  if (found.jupyter === undefined || found.tslab === undefined) context.setExitCode(1);
  if (asJson) {
    context.printJson(found);
    return;
  }
  const { folder, kernels, kernel, tslab, jupyter, isImportable } = found;
  context.print(
    keyValues([
      ["folder", folder],
      ["Jupyter", describeJupyter(jupyter)],
      ["kernel", `${kernel}, from ${kernels}`],
      ["tslab", tslab ?? "missing: npm install limpid installs it"],
      ["import", isImportable ? 'notebooks here can import "limpid"' : importAdvice(folder)],
    ]),
  );
  if (jupyter === undefined) context.print(`\n${installAdvice}`);
}

function importAdvice(folder: string): string {
  return `notebooks in ${folder} cannot import "limpid": run npm install limpid there`;
}

function kernelMissing(): UnsupportedError {
  return new UnsupportedError({
    where: "limpid notebook",
    got: "no tslab, the TypeScript kernel",
    expected: "it among the dependencies of limpid",
    fix: "Install the package again with its dependencies: npm install limpid",
  });
}

/** Jupyter's arguments; as root it refuses to start unless told that this is meant. */
function jupyterArguments(program: JupyterProgram, { browser, port }: NotebookOptions): readonly string[] {
  return [
    ...program.args,
    ...(browser ? [] : ["--no-browser"]),
    ...(port === undefined ? [] : [`--port=${port}`]),
    ...(process.getuid?.() === 0 ? ["--allow-root"] : []),
  ];
}

/** The caller's environment, with our kernel in front and this Node first, since the kernel is started as `node`. */
function jupyterEnvironment(env: CliContext["io"]["env"], kernels: string): Record<string, string | undefined> {
  const before = (added: string, list: string | undefined): string =>
    list === undefined || list === "" ? added : `${added}${delimiter}${list}`;
  return {
    ...env,
    JUPYTER_PATH: before(kernels, env["JUPYTER_PATH"]),
    PATH: before(dirname(process.execPath), env["PATH"]),
  };
}

/** Runs Jupyter until it ends; Ctrl-C reaches it directly, and it asks before it stops. */
async function open(
  context: CliContext,
  found: Findings,
  program: JupyterProgram,
  options: NotebookOptions,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program.command, jupyterArguments(program, options), {
      cwd: found.folder,
      env: jupyterEnvironment(context.io.env, found.kernels),
      stdio: "inherit",
      shell: process.platform === "win32",
    });
    const stop = (): void => void child.kill("SIGTERM");
    context.io.signal?.addEventListener("abort", stop, { once: true });
    // Ctrl-C reaches Jupyter by itself; a signal to this process alone must be passed on, or the server would stay.
    process.once("SIGTERM", stop);
    child.on("error", reject);
    child.on("close", (code) => {
      context.io.signal?.removeEventListener("abort", stop);
      process.removeListener("SIGTERM", stop);
      resolve(code === 0 || context.signal.aborted ? 0 : 1);
    });
  });
}

async function notebookCommand(context: CliContext, path: string, options: NotebookOptions): Promise<void> {
  const folder = checkFolder(path);
  const found = await inspect(context, folder);
  if (options.check === true) {
    reportFindings(context, found, options.json === true);
    return;
  }
  if (found.tslab === undefined) throw kernelMissing();
  if (found.jupyter === undefined) {
    context.io.stderr.write(`limpid: ${installAdvice}\n`);
    context.setExitCode(1);
    return;
  }
  if (!found.isImportable) context.io.stderr.write(`limpid: ${importAdvice(folder)}\n`);
  context.io.stderr.write(`limpid: ${describeJupyter(found.jupyter)}; kernel "${found.kernel}"; folder ${folder}\n`);
  context.setExitCode(await open(context, found, found.jupyter, options));
}

/** Adds `limpid notebook`. */
export function addNotebook(program: Command, context: CliContext): void {
  program
    .command("notebook [dir]")
    .description("Open Jupyter on a folder (default: this one) with limpid's TypeScript kernel.")
    .option("--no-browser", "start the server only")
    .option("--port <n>", "port of the server (default: 8888, or the next free one)", integer(1))
    .option("--check", "print what was found and end; exit code 1 when something is missing")
    .option("--json", "with --check, print one JSON value")
    .addHelpText("after", examples)
    .action((path: string | undefined, options: NotebookOptions) => notebookCommand(context, path ?? ".", options));
}
