/** Finds or installs Jupyter, and runs notebooks with the project's own kernel and no global state. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { ensureDebianPackages } from "./debian.mjs";
import { root, run, Stop } from "./process.mjs";

const debianPackages = ["jupyter-nbconvert", "jupyter-client", "jupyter-core"];

const advice = `Jupyter (nbconvert) is needed to run notebooks. Install it in one of these ways, then run the command again:
  Debian, Ubuntu   sudo apt-get install --no-install-recommends ${debianPackages.join(" ")}
  pip              python3 -m pip install --user nbconvert jupyter-client
  uv               uv tool install jupyter-core --with nbconvert --with jupyter-client
  VS Code          open notebooks/ with the Jupyter extension; it needs no command-line Jupyter`;

/** Tells whether `jupyter nbconvert` is there; looking for the files saves the seconds that starting it takes. */
function hasNbconvert() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const endings = process.platform === "win32" ? [".exe", ".cmd", ".bat"] : [""];
  return ["jupyter", "jupyter-nbconvert"].every((name) =>
    folders.some((folder) => endings.some((ending) => existsSync(join(folder, name + ending)))),
  );
}

/** Makes sure that `jupyter nbconvert` is installed; see {@link ensureDebianPackages}. */
export async function ensureJupyter() {
  if (hasNbconvert()) return;
  await ensureDebianPackages("Jupyter", debianPackages, advice);
  if (!hasNbconvert()) throw new Stop(`apt-get finished, but "jupyter nbconvert" is still missing.\n${advice}`);
}

/** Runs `body` with the environment in which Jupyter sees the project's kernel and writes nothing to the home folder. */
export async function withJupyterEnv(body) {
  const scratch = mkdtempSync(join(tmpdir(), "limpid-jupyter-"));
  try {
    const folders = Object.fromEntries(
      ["JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"].map((name) => [
        name,
        join(scratch, name),
      ]),
    );
    for (const folder of Object.values(folders)) mkdirSync(folder);
    return await body({ ...folders, JUPYTER_PATH: join(root, "jupyter"), JUPYTER_NO_CONFIG: "1" });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Executes a notebook with the project's kernel and writes the result to `target`.
 *
 * Returns nbconvert's exit code and output; with `allowErrors`, failing cells do not stop the rest.
 */
export function executeNotebook(source, target, { allowErrors = false, timeoutS = 600, env: extra = {} } = {}) {
  const errors = allowErrors ? ["--allow-errors"] : [];
  const options = ["--to", "notebook", "--execute", `--ExecutePreprocessor.timeout=${timeoutS}`, ...errors];
  return withJupyterEnv((env) =>
    run("jupyter", ["nbconvert", ...options, "--output", target, source], { env: { ...env, ...extra } }),
  );
}
