/** `limpid notebook`: what it finds on a machine, and a real server on loopback. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { findChromium, launchChromium } from "../helpers/chromium.js";
import { type ExecutedCell, readExecuted, root, writeNotebook } from "./notebook.js";

const scratch = mkdtempSync(join(tmpdir(), "limpid-notebook-"));
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const limpid = [join(root, "bin", "limpid.js"), "notebook"];
const isWindows = process.platform === "win32";

/** Makes a folder with executables and returns it; each answers `--version` only for the arguments that `works` names. */
function programs(name: string, works: Readonly<Record<string, string>>): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  for (const [program, call] of Object.entries(works)) {
    const path = join(folder, program);
    const body = `[ "$*" = "${call}" ] && echo 4.5.6 && exit 0\n[ "$1" = -m ] && exit 1\necho "started $0 $*"`;
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
  }
  return folder;
}

/** Runs the command where only `folder` is on PATH, from an empty home. */
function notebook(
  folder: string,
  ...args: readonly string[]
): { readonly status: number | null; readonly text: string } {
  const home = mkdtempSync(join(scratch, "home-"));
  const env = { PATH: folder, HOME: home };
  const { status, stdout, stderr } = spawnSync(process.execPath, [...limpid, home, ...args], { env, encoding: "utf8" });
  return { status, text: stdout + stderr };
}

describe.skipIf(isWindows)("limpid notebook starts", () => {
  test.each([
    ["jupyter-lab, from pip, conda or uv tool install", { "jupyter-lab": "--version" }, "jupyter-lab"],
    ["jupyter-notebook, from apt", { "jupyter-notebook": "--version" }, "jupyter-notebook"],
    ["jupyter lab, where pipx put only jupyter on PATH", { jupyter: "lab --version" }, "jupyter lab"],
    ["jupyter notebook", { jupyter: "notebook --version" }, "jupyter notebook"],
    ["python -m jupyterlab", { python3: "-m jupyterlab --version" }, undefined],
    ["python -m notebook", { python: "-m notebook --version" }, undefined],
    ["uv", { uv: "--version" }, "uv tool run --from jupyterlab jupyter-lab"],
    ["uvx, where there is no uv", { uvx: "--version" }, "uvx --from jupyterlab jupyter-lab"],
  ])("%s", (name, works, started) => {
    const folder = programs(name.replaceAll(/\W/g, "-"), works);
    const [program = "", call = ""] = Object.entries(works)[0] ?? [];
    const args = started?.split(" ").slice(1).join(" ") ?? call.replace(" --version", "");
    const whole = [join(folder, program), args].filter((part) => part !== "").join(" ");
    // The stand-in for python cannot tell a start from a search, so there the search is looked at alone.
    const run = notebook(folder, started === undefined ? "--check" : "--no-browser");
    expect(run, run.text).toMatchObject({ status: 0 });
    expect(run.text).toContain(started === undefined ? whole : `started ${whole} --no-browser`);
  });

  test("nothing where there is nothing, and says what to install", () => {
    const { status, text } = notebook(programs("nothing", {}));
    expect(status).toBe(1);
    for (const way of ["apt-get install", "pip install", "uv tool install", "VS Code"]) expect(text).toContain(way);
  });
});

const notebookServer = "jupyter-notebook";
const hasServer = spawnSync(notebookServer, ["--version"]).status === 0;

describe.skipIf(isWindows || !hasServer)("a real server", () => {
  let server: ChildProcess | undefined;
  afterAll(async () => {
    if (server === undefined || server.exitCode !== null) return;
    const ended = new Promise((resolve) => server?.once("exit", resolve));
    server.kill("SIGTERM");
    await ended;
    // The server goes with the command.
    await expect(fetch("http://127.0.0.1:18923/api")).rejects.toThrow("fetch failed");
  });

  /** Opens a notebook in the browser, presses "Run All" and returns what stands in it when the kernel is done. */
  async function runAll(address: string, path: string): Promise<readonly ExecutedCell[]> {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(address);
      await page.waitForFunction("globalThis.Jupyter?.notebook?.kernel?.is_connected()");
      await page.evaluate("Jupyter.notebook.execute_all_cells()");
      // A cell that was not run has no count and no star.
      await page.waitForFunction("!document.querySelector('.code_cell.running')");
      writeFileSync(path, await page.evaluate<string>("JSON.stringify(Jupyter.notebook.toJSON())"));
      return readExecuted(path);
    } finally {
      await browser.close();
    }
  }

  /** Starts the command and returns the address and token that Jupyter prints. */
  async function start(home: string, folder: string): Promise<{ readonly url: string; readonly token: string }> {
    const env = { PATH: process.env["PATH"] ?? "", HOME: home };
    const child = spawn(process.execPath, [...limpid, folder, "--no-browser", "--port", "18923"], { env });
    server = child;
    let text = "";
    return new Promise((resolve, reject) => {
      const read = (part: Buffer): void => {
        text += part.toString();
        const [, url, token] = /(http:\/\/(?:localhost|127\.0\.0\.1):\d+\/)\S*\?token=(\w+)/.exec(text) ?? [];
        if (url !== undefined && token !== undefined) resolve({ url, token });
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.on("exit", () => reject(new Error(text)));
    });
  }

  const cells = [
    'import { viz } from "limpid";\nviz.bars([1, 2])',
    "throw new RangeError('stop here');",
    "console.log('never');",
  ];

  test("serves the kernel, runs all of a notebook up to its first error, and leaves nothing registered", async () => {
    const [home, folder] = [mkdtempSync(join(scratch, "home-")), mkdtempSync(join(scratch, "work-"))];
    const { url, token } = await start(home, folder);
    const ask = async (path: string, method = "GET", body?: object): Promise<unknown> => {
      const headers = { Authorization: `token ${token}`, ["Content-Type"]: "application/json" };
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const response = await fetch(`${url}api/${path}`, init);
      expect(response.ok, `${path}: ${response.status}`).toBe(true);
      return method === "DELETE" ? undefined : response.json();
    };
    expect(await ask("kernelspecs")).toMatchObject({
      kernelspecs: { tslab: { spec: { ["display_name"]: "TypeScript (limpid)", language: "typescript" } } },
    });
    const { id } = (await ask("kernels", "POST", { name: "tslab" })) as { readonly id: string };
    expect(await ask("kernels")).toMatchObject([{ id, name: "tslab" }]);
    await ask(`kernels/${id}`, "DELETE");
    if (findChromium() !== undefined) {
      mkdirSync(join(folder, "node_modules"));
      symlinkSync(root, join(folder, "node_modules", "limpid"), "junction");
      const path = writeNotebook(folder, cells);
      const [drawn, failed, dropped] = await runAll(`${url}notebooks/cells.ipynb?token=${token}`, path);
      expect(Object.keys(drawn?.displays[0] ?? {}).toSorted()).toEqual(["text/html", "text/plain"]);
      expect(failed?.error).toMatchObject({ ename: "RangeError", evalue: "stop here" });
      expect([drawn, failed, dropped].map((cell) => cell?.executionCount)).toEqual([1, 2, null]);
      expect(dropped?.stdout).toBe("");
    }
    const written = readdirSync(home, { recursive: true }).map(String);
    expect(written.filter((path) => path.includes("kernels"))).toEqual([]);
  }, 60_000);
});
