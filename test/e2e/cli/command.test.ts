/** The command as a process: exit codes, pipes, Ctrl-C. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { fixture } from "../../helpers/fixtures.js";

const script = fileURLToPath(new URL("./child.ts", import.meta.url));
const gpt2 = fixture("architectures", "gpt2");
const folder = mkdtempSync(join(tmpdir(), "limpid-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

interface Setting {
  /** Interrupts the command once its stdout holds this. */
  readonly interruptAt?: string;
  /** Closes the reading end of stdout after the first bytes. */
  readonly closesPipe?: boolean;
}

function limpid(args: readonly string[], { interruptAt, closesPipe = false }: Setting = {}): Promise<End> {
  return new Promise((resolve) => {
    const env = { ...process.env, LIMPID_CACHE: join(folder, "cache") };
    const child = spawn(process.execPath, ["--import", "tsx", script, ...args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    let isInterrupted = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (closesPipe) child.stdout.destroy();
      // Once: a second Ctrl-C ends the command at once, as people expect.
      if (!isInterrupted && interruptAt !== undefined && out.includes(interruptAt))
        isInterrupted = child.kill("SIGINT");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    child.on("close", (code, signal) => resolve({ code, signal, out, err }));
  });
}

describe("limpid as a process", () => {
  test("prints results on stdout only, and ends by itself with code 0", async () => {
    const end = await limpid(["run", gpt2, "--tokens", "1,2,3", "--json"]);
    expect(end).toMatchObject({ code: 0, signal: null, err: "" });
    expect(JSON.parse(end.out)).toHaveProperty("top");
  });

  test("ends with code 2 for wrong usage and 1 for a failure", async () => {
    expect(await limpid(["run"])).toMatchObject({ code: 2, out: "" });
    expect(await limpid(["run", gpt2, "--tokens", "77"])).toMatchObject({ code: 1, out: "" });
  });

  test("is stopped by Ctrl-C with code 130, cleanly", async () => {
    const endless = ["generate", "tiny", "The", "--max-new-tokens", "250", "--temperature", "1"];
    const end = await limpid(endless, { interruptAt: " " });
    expect(end).toMatchObject({ code: 130, signal: null, err: expect.stringContaining("limpid: stopped") as string });
    expect(readdirSync(join(folder, "cache", "prepared")).every((name) => !name.startsWith("."))).toBe(true);
  });

  test("takes a closed pipe for the end", async () => {
    const end = await limpid(["generate", "tiny", "The", "--max-new-tokens", "60"], { closesPipe: true });
    expect(end).toMatchObject({ code: 0, signal: null });
    expect(end.err).not.toMatch(/EPIPE/);
  });

  test.skipIf(!existsSync(fileURLToPath(new URL("../../../dist/cli/index.js", import.meta.url))))(
    "has a built entry",
    async () => {
      const bin = fileURLToPath(new URL("../../../bin/limpid.js", import.meta.url));
      const code = await new Promise((resolve) => spawn(process.execPath, [bin, "--version"]).on("close", resolve));
      expect(code).toBe(0);
    },
  );
});
