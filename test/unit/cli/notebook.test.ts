/** `limpid notebook` and its search, with stand-in programs: no Jupyter is started. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { findJupyter, installAdvice, searchFolders } from "../../../src/cli/jupyter.js";
import { json, limpid, scratchFolder } from "./helpers.js";

const folder = scratchFolder();
let made = 0;

/** Writes an executable shell script and returns its path. */
function program(path: string, body: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** A fresh folder that plays the home folder. */
function home(): string {
  const path = join(folder, `home-${made++}`);
  mkdirSync(path);
  return path;
}

const place = (at: string, env: Readonly<Record<string, string>> = {}): Parameters<typeof findJupyter>[0] => ({
  env: { PATH: join(at, "path"), ...env },
  folder: join(at, "work"),
  home: at,
  platform: "linux",
});

describe.skipIf(process.platform === "win32")("findJupyter", () => {
  it("finds nothing where there is nothing", async () => {
    expect(await findJupyter(place(home()))).toBeUndefined();
  });

  it.each([
    ["apt and pip as root", "path"],
    ["pip --user and uv tool install", ".local/bin"],
    ["uv's own folder", ".local/share/uv/tools/jupyterlab/bin"],
    ["pyenv", ".pyenv/versions/3.12.1/bin"],
    ["a virtual environment beside the notebooks", "work/.venv/bin"],
  ])("finds what %s installed", async (_, where) => {
    const at = home();
    const command = program(join(at, where, "jupyter-notebook"), "echo 7.2.2");
    expect(await findJupyter(place(at))).toEqual({ kind: "notebook", command, args: [], version: "7.2.2" });
  });

  it("prefers JupyterLab, and passes over a program that does not run", async () => {
    const at = home();
    program(join(at, "path", "jupyter-lab"), "echo shim: command not found >&2; exit 127");
    program(join(at, "path", "jupyter-notebook"), "echo 6.4.12");
    const command = program(join(at, ".local/bin", "jupyter-lab"), "echo 4.3.0");
    expect(await findJupyter(place(at))).toEqual({ kind: "lab", command, args: [], version: "4.3.0" });
  });

  it("falls back on uv, which runs JupyterLab without installing it", async () => {
    const at = home();
    const command = program(join(at, ".local/bin", "uv"), "echo uv 0.9.0");
    const args = ["tool", "run", "--from", "jupyterlab", "jupyter-lab"];
    expect(await findJupyter(place(at))).toEqual({ kind: "lab", command, args });
  });

  it("looks into each folder once, PATH first", () => {
    const folders = searchFolders(
      place("/h", { PATH: ["/a", "/h/.local/bin", "/a"].join(delimiter), VIRTUAL_ENV: "/v" }),
    );
    expect(folders.slice(0, 3)).toEqual(["/a", "/h/.local/bin", "/v/bin"]);
    expect(new Set(folders).size).toBe(folders.length);
  });
});

describe.skipIf(process.platform === "win32")("limpid notebook", () => {
  it("says what to install when there is no Jupyter", async () => {
    const at = home();
    const end = await limpid(["notebook", at], { env: { PATH: join(at, "none"), HOME: at } });
    expect(end).toMatchObject({ code: 1, out: "", err: `limpid: ${installAdvice}\n` });
    for (const way of ["apt-get", "pip", "uv tool install", "VS Code"]) expect(end.err).toContain(way);
  });

  it("reports what it found with --check, and code 1 when something is missing", async () => {
    const at = home();
    const env = { PATH: join(at, "none"), HOME: at };
    const missing = await limpid(["notebook", at, "--check"], { env });
    expect(missing.code).toBe(1);
    expect(missing.out).toMatch(/^Jupyter +none found$/m);
    expect(missing.out).toMatch(/^import +notebooks in .* cannot import "limpid": run npm install limpid there$/m);
    const command = program(join(at, ".local/bin", "jupyter-lab"), "echo 4.3.0");
    const found = await limpid(["notebook", at, "--check", "--json"], { env });
    expect(found.code).toBe(0);
    expect(json(found)).toMatchObject({
      folder: at,
      kernel: "TypeScript (limpid)",
      jupyter: { command, version: "4.3.0" },
    });
  });

  it("starts Jupyter in the folder with the package's kernel for this run only", async () => {
    const at = home();
    const record = join(at, "record");
    program(
      join(at, ".local/bin", "jupyter-lab"),
      `[ "$1" = --version ] && echo 4.3.0 && exit; printf '%s\\n' "$PWD" "$JUPYTER_PATH" "$PATH" "$*" > "${record}"`,
    );
    const path = `/usr/bin${delimiter}/bin`;
    const env = { PATH: path, HOME: at, JUPYTER_PATH: "/mine" };
    const end = await limpid(["notebook", at, "--no-browser", "--port", "8899"], { env });
    expect(end).toMatchObject({ code: 0, out: "" });
    const [cwd, jupyterPath = "", programs, args] = readFileSync(record, "utf8").split("\n");
    const [kernels = "", mine] = jupyterPath.split(delimiter);
    expect([cwd, mine]).toEqual([at, "/mine"]);
    expect(JSON.parse(readFileSync(join(kernels, "kernels/tslab/kernel.json"), "utf8"))).toHaveProperty(
      "display_name",
      "TypeScript (limpid)",
    );
    expect(programs).toBe(`${dirname(process.execPath)}${delimiter}${path}`);
    expect(args).toMatch(/^--no-browser --port=8899( --allow-root)?$/);
  });

  it("exits with 1 when Jupyter fails", async () => {
    const at = home();
    program(join(at, ".local/bin", "jupyter-lab"), '[ "$1" = --version ] && echo 4.3.0 && exit; exit 3');
    expect(await limpid(["notebook", at], { env: { PATH: "/bin", HOME: at } })).toMatchObject({ code: 1 });
  });
});
