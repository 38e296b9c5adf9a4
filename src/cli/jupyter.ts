/**
 * Finds a program that opens notebooks in a browser, wherever apt, pip, pipx, uv, pyenv or conda put it.
 *
 * 1. Folders are searched in order: PATH, the virtual environment in use, `.venv` of the notebook folder, `~/.local/bin`,
 *    uv's and pyenv's folders. In them, `jupyter-lab` comes before `jupyter-notebook`.
 * 2. Then `jupyter lab` and `jupyter notebook`: pipx puts only `jupyter` on PATH.
 * 3. Then `python -m jupyterlab` and `python -m notebook`: pip may put its programs into a folder that no PATH names.
 * 4. Failing all, `uv` or `uvx` can run JupyterLab without installing it.
 *
 * A program counts only when it answers `--version`: a pyenv shim or a broken environment may lie there and not run.
 */
import { spawn } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The environment that decides what is found. */
export interface SearchPlace {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that notebooks are opened in. */
  readonly folder: string;
  readonly home: string;
  readonly platform: string;
}

/** A way to open notebooks. */
export interface JupyterProgram {
  readonly kind: "lab" | "notebook";
  /** The file to start. */
  readonly command: string;
  /** Arguments before Jupyter's own. */
  readonly args: readonly string[];
  /** As `--version` printed it; absent when `uv` will fetch it. */
  readonly version?: string;
}

/** What to install when nothing was found; apt's Jupyter has no Lab. */
export const installAdvice: string = `Jupyter is needed to open notebooks, and none was found. Install it in one of these ways, then run the command again:
  Debian, Ubuntu   sudo apt-get install --no-install-recommends jupyter-notebook
  pip              python3 -m pip install --user jupyterlab
  uv               uv tool install jupyterlab
  VS Code          open the folder with the Jupyter extension; it needs no command-line Jupyter`;

/** Longest wait for `--version`, ms; a cold start of Jupyter on a slow disk takes several seconds. */
const versionTimeoutMs = 30_000;

const kinds = [
  { kind: "lab", program: "jupyter-lab", subcommand: "lab", module: "jupyterlab" },
  { kind: "notebook", program: "jupyter-notebook", subcommand: "notebook", module: "notebook" },
] as const;

function endings(platform: string): readonly string[] {
  return platform === "win32" ? [".exe", ".cmd", ".bat"] : [""];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function subfolders(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    // Not there, or not ours to read: nothing to find in it.
    return [];
  }
}

/** The folder of programs in a Python environment. */
function bin(platform: string): string {
  return platform === "win32" ? "Scripts" : "bin";
}

/** Folders of the Python that a user of this shell and folder would get, in order. */
function currentFolders({ env, folder, platform }: SearchPlace): readonly string[] {
  const environments = [env["VIRTUAL_ENV"], env["CONDA_PREFIX"], join(folder, ".venv"), join(folder, "venv")];
  return [
    ...(env["PATH"] ?? env["Path"] ?? "").split(delimiter),
    ...environments.flatMap((path) => (path === undefined ? [] : [join(path, bin(platform))])),
  ];
}

/** Folders in which programs may lie, in order, each once. */
export function searchFolders(place: SearchPlace): readonly string[] {
  const { env, home, platform } = place;
  const pyenv = join(env["PYENV_ROOT"] ?? join(home, ".pyenv"), "versions");
  const uv = env["UV_TOOL_DIR"] ?? join(env["XDG_DATA_HOME"] ?? join(home, ".local", "share"), "uv", "tools");
  return unique([
    ...currentFolders(place),
    join(home, ".local", "bin"),
    ...["jupyterlab", "jupyter-core", "notebook", "jupyter"].map((tool) => join(uv, tool, bin(platform))),
    ...subfolders(pyenv).map((version) => join(pyenv, version, bin(platform))),
  ]);
}

function unique(folders: readonly string[]): readonly string[] {
  return [...new Set(folders.filter((path) => path !== ""))];
}

/** Paths of a program in the folders, in their order. */
function located(name: string, folders: readonly string[], platform: string): readonly string[] {
  return folders.flatMap((folder) => endings(platform).map((ending) => join(folder, name + ending))).filter(isFile);
}

/** The line with a version that a program prints when asked for it, or `undefined` when it does not run. */
async function versionOf(candidate: Candidate, { env, platform }: SearchPlace): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(candidate.command, [...candidate.args, "--version"], {
      env: { ...env },
      stdio: ["ignore", "pipe", "ignore"],
      timeout: versionTimeoutMs,
      shell: platform === "win32",
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    child.on("error", () => resolve(undefined));
    child.on("close", (code) => {
      const line = text.split("\n").find((one) => /\d\.\d/.test(one));
      resolve(code === 0 ? line?.trim() : undefined);
    });
  });
}

type Candidate = Omit<JupyterProgram, "version">;

/** Every way to try, in order. */
function candidates(place: SearchPlace): readonly Candidate[] {
  const find = (name: string, folders: readonly string[]): readonly string[] => located(name, folders, place.platform);
  const folders = searchFolders(place);
  // A Python deeper down has its programs beside it, and those were found before.
  const pythons = unique(currentFolders(place)).flatMap((folder) => {
    const [python] = ["python3", "python"].flatMap((name) => find(name, [folder]));
    return python === undefined ? [] : [python];
  });
  const jupyters = find("jupyter", folders);
  return [
    ...kinds.flatMap(({ kind, program }) => find(program, folders).map((command) => ({ kind, command, args: [] }))),
    ...kinds.flatMap(({ kind, subcommand }) => jupyters.map((command) => ({ kind, command, args: [subcommand] }))),
    ...kinds.flatMap(({ kind, module }) => pythons.map((command) => ({ kind, command, args: ["-m", module] }))),
  ];
}

/** Finds the first Jupyter that runs, or a `uv` that can run one, or nothing. */
export async function findJupyter(place: SearchPlace): Promise<JupyterProgram | undefined> {
  for (const candidate of candidates(place)) {
    const version = await versionOf(candidate, place);
    if (version !== undefined) return { ...candidate, version };
  }
  const runs = [
    { name: "uv", args: ["tool", "run", "--from", "jupyterlab", "jupyter-lab"] },
    { name: "uvx", args: ["--from", "jupyterlab", "jupyter-lab"] },
  ];
  for (const { name, args } of runs) {
    for (const command of located(name, searchFolders(place), place.platform)) {
      const version = await versionOf({ kind: "lab", command, args: [] }, place);
      if (version !== undefined) return { kind: "lab", command, args };
    }
  }
  return undefined;
}
