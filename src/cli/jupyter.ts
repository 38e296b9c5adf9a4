/**
 * Finds a program that opens notebooks in a browser, wherever apt, pip, pipx, uv, pyenv or conda put it.
 *
 * 1. Folders are searched in order: PATH, the virtual environment in use, `.venv` of the notebook folder, `~/.local/bin`,
 *    uv's and pyenv's folders.
 * 2. In each, JupyterLab comes before the classic notebook.
 * 3. A program counts only when it answers `--version`: a pyenv shim or a broken environment may lie there and not run.
 * 4. Failing all, `uv` can run JupyterLab without installing it.
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

const programs = [
  { kind: "lab", name: "jupyter-lab" },
  { kind: "notebook", name: "jupyter-notebook" },
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

/** Folders in which programs may lie, in order, each once. */
export function searchFolders({ env, folder, home, platform }: SearchPlace): readonly string[] {
  const bin = platform === "win32" ? "Scripts" : "bin";
  const pyenv = join(env["PYENV_ROOT"] ?? join(home, ".pyenv"), "versions");
  const uv = env["UV_TOOL_DIR"] ?? join(env["XDG_DATA_HOME"] ?? join(home, ".local", "share"), "uv", "tools");
  const environments = [env["VIRTUAL_ENV"], env["CONDA_PREFIX"], join(folder, ".venv"), join(folder, "venv")];
  const folders = [
    ...(env["PATH"] ?? env["Path"] ?? "").split(delimiter),
    ...environments.flatMap((path) => (path === undefined ? [] : [join(path, bin)])),
    join(home, ".local", "bin"),
    ...["jupyterlab", "jupyter-core", "notebook", "jupyter"].map((tool) => join(uv, tool, bin)),
    ...subfolders(pyenv).map((version) => join(pyenv, version, bin)),
  ];
  return [...new Set(folders.filter((path) => path !== ""))];
}

/** Paths of a program in the folders, in their order. */
function located(name: string, folders: readonly string[], platform: string): readonly string[] {
  return folders.flatMap((folder) => endings(platform).map((ending) => join(folder, name + ending))).filter(isFile);
}

/** The first line that `command --version` prints, or `undefined` when it does not run. */
async function versionOf(command: string, env: SearchPlace["env"], platform: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, ["--version"], {
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
    child.on("close", (code) => resolve(code === 0 && text.trim() !== "" ? text.trim().split("\n")[0] : undefined));
  });
}

/** Finds the first Jupyter that runs, or a `uv` that can run one, or nothing. */
export async function findJupyter(place: SearchPlace): Promise<JupyterProgram | undefined> {
  const folders = searchFolders(place);
  for (const { kind, name } of programs) {
    for (const command of located(name, folders, place.platform)) {
      const version = await versionOf(command, place.env, place.platform);
      if (version !== undefined) return { kind, command, args: [], version };
    }
  }
  const [uv] = located("uv", folders, place.platform);
  if (uv === undefined) return undefined;
  return { kind: "lab", command: uv, args: ["tool", "run", "--from", "jupyterlab", "jupyter-lab"] };
}
