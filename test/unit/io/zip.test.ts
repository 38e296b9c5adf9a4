import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withFile } from "../../../src/io/files.js";
import { memberOffset, readMember, readZipDirectory } from "../../../src/io/zip.js";
import { fixture, refusal, temporaryFolder } from "./support.js";

const folder = temporaryFolder();

function file(name: string, content: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function namesIn(path: string): Promise<readonly string[]> {
  return withFile(path, async (archive) => [...(await readZipDirectory(archive)).keys()]);
}

async function readAll(path: string): Promise<number> {
  return withFile(path, async (archive) => {
    let bytes = 0;
    for (const member of (await readZipDirectory(archive)).values())
      bytes += (await readMember(archive, member)).length;
    return bytes;
  });
}

/** An archive with one zip64 member "a", put together by the format's description, not by our writer. */
function zip64Archive(): Uint8Array {
  const content = new TextEncoder().encode("hello");
  const parts: Uint8Array[] = [];
  const fields = (values: readonly (readonly [number, number | bigint])[]): Uint8Array => {
    const bytes = new Uint8Array(values.reduce((sum, [width]) => sum + width, 0));
    let at = 0;
    for (const [width, value] of values) {
      for (let i = 0; i < width; i++) bytes[at++] = Number((BigInt(value) >> BigInt(8 * i)) & 0xffn);
    }
    return bytes;
  };
  const crcOfHello = 0x3610a686;
  const full = 0xffffffff;
  const local = [
    [4, 0x04034b50],
    [2, 45],
    [2, 0],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, crcOfHello],
    [4, full],
    [4, full],
    [2, 1],
    [2, 20],
    [1, 97],
    [2, 1],
    [2, 16],
    [8, 5n],
    [8, 5n],
  ] as const;
  parts.push(fields(local), content);
  const directoryAt = parts.reduce((sum, part) => sum + part.length, 0);
  const central = [
    [4, 0x02014b50],
    [2, 45],
    [2, 45],
    [2, 0],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, crcOfHello],
    [4, full],
    [4, full],
    [2, 1],
    [2, 28],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, full],
    [1, 97],
    [2, 1],
    [2, 24],
    [8, 5n],
    [8, 5n],
    [8, 0n],
  ] as const;
  const directory = fields(central);
  const end64At = directoryAt + directory.length;
  const end64 = [
    [4, 0x06064b50],
    [8, 44n],
    [2, 45],
    [2, 45],
    [4, 0],
    [4, 0],
    [8, 1n],
    [8, 1n],
    [8, directory.length],
    [8, directoryAt],
  ] as const;
  const locator = [
    [4, 0x07064b50],
    [4, 0],
    [8, end64At],
    [4, 1],
  ] as const;
  const end = [
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, 0xffff],
    [2, 0xffff],
    [4, full],
    [4, full],
    [2, 0],
  ] as const;
  parts.push(directory, fields(end64), fields(locator), fields(end));
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe("zip archives", () => {
  it("reads a zip64 archive", async () => {
    const path = file("wide.zip", zip64Archive());
    const text = await withFile(path, async (archive) => {
      const member = (await readZipDirectory(archive)).get("a");
      if (member === undefined) throw new Error("no member");
      expect(await memberOffset(archive, member)).toBe(51);
      return new TextDecoder().decode(await readMember(archive, member));
    });
    expect(text).toBe("hello");
  });

  it("finds the directory behind a comment", async () => {
    const bytes = readFileSync(fixture("stored.npz"));
    const comment = new TextEncoder().encode("a comment PK");
    bytes[bytes.length - 2] = comment.length;
    expect(await namesIn(file("comment.zip", Buffer.concat([bytes, comment])))).toEqual([
      "W_enc.npy",
      "mask.npy",
      "t.npy",
    ]);
  });

  it("names a file that is no archive", async () => {
    for (const bytes of [new Uint8Array(), new Uint8Array(100)]) {
      const path = file("none.zip", bytes);
      expect((await refusal(namesIn(path), "FORMAT")).message).toBe(
        `${path}: got no zip directory at the end; expected a whole zip archive. ` +
          "The file is truncated or damaged; get it again.",
      );
    }
  });

  it("refuses an encrypted member", async () => {
    const bytes = readFileSync(fixture("stored.npz"));
    const at = bytes.indexOf(Uint8Array.of(0x50, 0x4b, 1, 2));
    bytes[at + 8] = (bytes[at + 8] ?? 0) | 1;
    const path = file("locked.zip", bytes);
    expect((await refusal(namesIn(path), "UNSUPPORTED")).message).toBe(
      `${path}: W_enc.npy: got an encrypted member; expected a plain one. Unpack it and make an archive without a password.`,
    );
  });

  it("refuses another compression only when the member is read", async () => {
    const bytes = readFileSync(fixture("stored.npz"));
    const at = bytes.indexOf(Uint8Array.of(0x50, 0x4b, 1, 2));
    bytes[at + 10] = 93;
    const path = file("zstd.zip", bytes);
    expect(await namesIn(path)).toHaveLength(3);
    expect((await refusal(readAll(path), "UNSUPPORTED")).message).toBe(
      `${path}: W_enc.npy: got another compression; expected a stored or deflated member. Write the archive again with one of these.`,
    );
  });

  it("does not unpack more than the directory states", async () => {
    const bytes = readFileSync(fixture("deflated.npz"));
    const at = bytes.indexOf(Uint8Array.of(0x50, 0x4b, 1, 2));
    bytes.writeUInt32LE(10, at + 24);
    const error = await refusal(readAll(file("bomb.zip", bytes)), "FORMAT");
    expect(error.got).toBe("compressed data that does not unpack to its stated length");
  });

  it("agrees with unzip about the archives that it writes", async () => {
    const { writeNpz, loadNpz } = await import("../../../src/io/index.js");
    const path = join(folder, "own.npz");
    await writeNpz(path, await loadNpz(fixture("stored.npz")), { compress: true });
    const python = "import sys,zipfile; print(zipfile.ZipFile(sys.argv[1]).testzip())";
    const answer = tryPython(python, path);
    expect(["None", undefined]).toContain(answer);
  });
});

function tryPython(program: string, argument: string): string | undefined {
  try {
    return execFileSync("python3", ["-c", program, argument], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}
