import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  cleanStaleTemporary,
  temporaryPath,
  withAtomicFile,
  withAtomicFolder,
  writeFileAtomic,
} from "../../../src/io/index.js";
import { refusal, temporaryFolder } from "./support.js";

const root = temporaryFolder();
let count = 0;

function freshFolder(): string {
  const folder = join(root, `${count++}`);
  mkdirSync(folder);
  return folder;
}

describe("writeFileAtomic", () => {
  it("writes text as UTF-8 and bytes as they are, and leaves no temporary file", async () => {
    const folder = freshFolder();
    await writeFileAtomic(join(folder, "a.txt"), "ünï");
    await writeFileAtomic(join(folder, "b.bin"), Uint8Array.of(0, 255));
    expect(readFileSync(join(folder, "a.txt"), "utf8")).toBe("ünï");
    expect([...readFileSync(join(folder, "b.bin"))]).toEqual([0, 255]);
    expect(readdirSync(folder).sort()).toEqual(["a.txt", "b.bin"]);
  });

  it("replaces an existing file", async () => {
    const path = join(freshFolder(), "a.txt");
    await writeFileAtomic(path, "old and longer");
    await writeFileAtomic(path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
  });

  it("names the path when the folder does not exist", async () => {
    const path = join(freshFolder(), "none", "a.txt");
    const error = await refusal(writeFileAtomic(path, "x"), "INPUT");
    expect(error.message).toBe(
      `write ${path}: got ENOENT from the file system; expected an existing path. Check the path and its permissions.`,
    );
  });
});

describe("withAtomicFile", () => {
  it("keeps the old file and removes the temporary when the writer throws", async () => {
    const folder = freshFolder();
    const path = join(folder, "a.txt");
    await writeFileAtomic(path, "old");
    const failing = withAtomicFile(path, async (file) => {
      await file.write(Uint8Array.of(1, 2, 3));
      expect(readdirSync(folder)).toHaveLength(2);
      throw new Error("stop");
    });
    await expect(failing).rejects.toThrow("stop");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["a.txt"]);
  });

  it("returns what the writer returns and counts the bytes", async () => {
    const path = join(freshFolder(), "a.bin");
    const position = await withAtomicFile(path, async (file) => {
      await file.write(new Uint8Array(10));
      await file.write(new Uint8Array(0));
      await file.write(new Uint8Array(7));
      return file.position;
    });
    expect(position).toBe(17);
    expect(readFileSync(path)).toHaveLength(17);
  });
});

describe("withAtomicFolder", () => {
  const fill = (text: string) => (folder: string) => writeFileAtomic(join(folder, "a.txt"), text);

  it("shows the folder only when it is complete", async () => {
    const folder = freshFolder();
    const path = join(folder, "prepared");
    await withAtomicFolder(path, async (inside) => {
      await fill("x")(inside);
      expect(readdirSync(folder)).not.toContain("prepared");
    });
    expect(readdirSync(folder)).toEqual(["prepared"]);
    expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("x");
  });

  it("leaves nothing when filling fails", async () => {
    const folder = freshFolder();
    const failing = withAtomicFolder(join(folder, "prepared"), async (inside) => {
      await fill("x")(inside);
      throw new Error("stop");
    });
    await expect(failing).rejects.toThrow("stop");
    expect(readdirSync(folder)).toEqual([]);
  });

  it("refuses, keeps or replaces an existing folder", async () => {
    const folder = freshFolder();
    const path = join(folder, "prepared");
    await withAtomicFolder(path, fill("first"));
    const error = await refusal(withAtomicFolder(path, fill("second")), "INPUT");
    expect(error.message).toBe(
      `write ${path}: got a path that exists already; expected a free path. ` +
        'Remove it first, or pass ifExists: "keep" or "replace".',
    );
    await withAtomicFolder(path, fill("third"), { ifExists: "keep" });
    expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("first");
    await withAtomicFolder(path, fill("fourth"), { ifExists: "replace" });
    expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("fourth");
    expect(readdirSync(folder)).toEqual(["prepared"]);
  });

  it("replaces a folder that is not there by simply writing it", async () => {
    const path = join(freshFolder(), "prepared");
    await withAtomicFolder(path, fill("x"), { ifExists: "replace" });
    expect(readdirSync(path)).toEqual(["a.txt"]);
  });

  it("lets exactly one of two racing writers win", async () => {
    const folder = freshFolder();
    const path = join(folder, "prepared");
    await Promise.all(["one", "two"].map((text) => withAtomicFolder(path, fill(text), { ifExists: "keep" })));
    expect(readdirSync(folder)).toEqual(["prepared"]);
    expect(["one", "two"]).toContain(readFileSync(join(path, "a.txt"), "utf8"));
  });
});

describe("cleanStaleTemporary", () => {
  it("removes what a dead process left and keeps everything else", async () => {
    const folder = freshFolder();
    const own = temporaryPath(join(folder, "model.safetensors")).slice(folder.length + 1);
    const dead = own.replace(`-${process.pid}-`, `-${deadPid()}-`);
    const otherMachine = dead.replace(/-[0-9a-f]{8}-/, "-00000000-");
    for (const name of [own, dead, otherMachine, "model.safetensors"]) writeFileSync(join(folder, name), "x");
    mkdirSync(join(folder, `${dead}-folder`));
    expect([...(await cleanStaleTemporary(folder))].sort()).toEqual([dead, `${dead}-folder`].sort());
    expect(readdirSync(folder).sort()).toEqual([own, otherMachine, "model.safetensors"].sort());
  });

  it("keeps what another running process is writing", async () => {
    const folder = freshFolder();
    const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
    const name = temporaryPath(join(folder, "a")).slice(folder.length + 1);
    writeFileSync(join(folder, name.replace(`-${process.pid}-`, `-${child.pid}-`)), "x");
    const removed = await cleanStaleTemporary(folder);
    child.kill();
    expect(removed).toEqual([]);
  });

  it("finds a folder that does not exist clean", async () => {
    expect(await cleanStaleTemporary(join(root, "nowhere"))).toEqual([]);
  });
});

/** The id of a process that has just ended. */
function deadPid(): number {
  return Number(execFileSync(process.execPath, ["-p", "process.pid"], { encoding: "utf8" }));
}
