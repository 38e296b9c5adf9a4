import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { commonFolder, fileStates, mapWeights, weightFiles } from "../../../src/runtime/weights.js";
import { fileWeight, graph } from "./graphs.js";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "limpid-weights-")));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const weight = (path: string, name = "w") => fileWeight(path, name, new Float32Array(6), { shape: [2, 3], offset: 8 });
const withWeights = (...weights: readonly ReturnType<typeof weight>[]) => graph([], [], [], weights);

describe("mapWeights", () => {
  test("leaves a graph without weight files as it is", async () => {
    const plain = graph([], [], []);
    expect(await mapWeights(plain)).toEqual({ graph: plain, folder: undefined, fileBytes: 0 });
  });

  test("resolves symbolic links and finds the folder that holds all files", async () => {
    mkdirSync(at("blobs/a"), { recursive: true });
    mkdirSync(at("snapshot"));
    const [first, second] = [weight(at("blobs/a/1"), "a"), weight(at("blobs/2"), "b")];
    symlinkSync(at("blobs/a/1"), at("snapshot/model.safetensors"));
    const linked = { ...first, source: { ...first.source, path: at("snapshot/model.safetensors") } };
    const mapped = await mapWeights(withWeights(linked, second));
    expect(mapped.folder).toBe(at("blobs"));
    expect(mapped.fileBytes).toBe(48);
    expect(weightFiles(mapped.graph)).toEqual([at("blobs/a/1"), at("blobs/2")]);
  });

  test("counts weights that alias the same bytes once", async () => {
    const one = weight(at("alias"), "a");
    const two = { ...one, value: { ...one.value, name: "b", shape: [6] } };
    expect((await mapWeights(withWeights(one, two))).fileBytes).toBe(24);
  });

  test("names a file that is missing", async () => {
    const gone = weight(at("gone"));
    rmSync(at("gone"));
    await expect(mapWeights(withWeights(gone))).rejects.toMatchObject({
      code: "CHECKPOINT",
      where: `weights: ${at("gone")}`,
      got: expect.stringContaining("ENOENT") as unknown,
    });
    expect(() => fileStates([at("gone")])).toThrow("a file that cannot be read");
  });

  test("refuses a folder in place of a file", async () => {
    const one = weight(at("file"));
    const source = { ...one.source, path: folder };
    await expect(mapWeights(withWeights({ ...one, source }))).rejects.toThrow("it is not a file");
  });

  test("refuses a file that is too short and names the tensor", async () => {
    const short = weight(at("short"), "blocks.0.w");
    truncateSync(at("short"), 20);
    await expect(mapWeights(withWeights(short))).rejects.toThrow(
      `weights: "blocks.0.w" in ${at("short")}: got a file of 20 bytes (20 B); expected bytes 8 to 32. The file is cut short or was replaced: download or copy it again, then load the model again.`,
    );
  });

  test("refuses a length that does not fit the shape", async () => {
    const odd = weight(at("odd"));
    const source = { ...odd.source, length: 20 };
    await expect(mapWeights(withWeights({ ...odd, source }))).rejects.toThrow(
      `weights: "w" in ${at("odd")}: got 20 bytes; expected 24 bytes for float32 [2, 3]. Check the tensor's offsets in the file's header.`,
    );
  });
});

describe("fileStates", () => {
  test("changes when a file is rewritten", () => {
    writeFileSync(at("state"), "1");
    const before = fileStates([at("state")]);
    expect(fileStates([at("state")])).toBe(before);
    utimesSync(at("state"), new Date(), new Date(1_000_000));
    expect(fileStates([at("state")])).not.toBe(before);
  });
});

describe.skipIf(process.platform === "win32")("commonFolder", () => {
  test.each([
    [["/a/b/c"], "/a/b"],
    [["/a/b/c", "/a/b/d"], "/a/b"],
    [["/a/b/c", "/a/bc/d"], "/a"],
    [["/a/x", "/b/y"], "/"],
  ])("of %j is %s", (paths, expected) => {
    expect(commonFolder(paths)).toBe(expected);
  });
});
