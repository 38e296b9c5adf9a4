import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { cleanStaleTemporary, temporaryPrefix } from "../../src/io/index.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-io-kill-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("a process killed while writing leaves the old file, and one temporary file that the next run removes", async () => {
  const path = join(folder, "model.safetensors");
  writeFileSync(path, "old");
  const io = new URL("../../src/io/index.ts", import.meta.url).href;
  const program = `
    import { withAtomicFile } from ${JSON.stringify(io)};
    withAtomicFile(${JSON.stringify(path)}, async (file) => {
      await file.write(new Uint8Array(1000));
      process.stdout.write("writing");
      await new Promise((resolve) => setTimeout(resolve, 60000));
    });`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    cwd: join(import.meta.dirname, "../.."),
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGKILL");
  await ended;
  expect(readdirSync(folder).filter((name) => name.startsWith(temporaryPrefix))).toHaveLength(1);
  expect(await cleanStaleTemporary(folder)).toHaveLength(1);
  expect(readdirSync(folder)).toEqual(["model.safetensors"]);
  expect(readFileSync(path, "utf8")).toBe("old");
});
