/** PNG files by sharp: their size, and what is said when sharp or fonts are missing. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { heatmap } from "../../../src/viz/index.js";

const view = heatmap([[1, 2]], { title: "Two" });

/** Width and height of a PNG file. */
function sizeOf(png: Uint8Array): readonly [number, number] {
  const header = new DataView(png.buffer, png.byteOffset);
  return [header.getUint32(16), header.getUint32(20)];
}

describe("toPng", () => {
  afterEach(() => {
    vi.doUnmock("sharp");
    vi.resetModules();
  });

  test("draws at twice the size of the SVG, or at the scale asked for", async () => {
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(view.toSvg()) ?? [];
    expect(sizeOf(await view.toPng())).toEqual([2 * Number(width), 2 * Number(height)]);
    expect(sizeOf(await view.toPng({ scale: 1 }))).toEqual([Number(width), Number(height)]);
  });

  test("without sharp says what to install", async () => {
    vi.doMock("sharp", () => {
      throw new Error("no such package");
    });
    vi.resetModules();
    const { heatmap: fresh } = await import("../../../src/viz/index.js");
    await expect(fresh([[1]]).toPng()).rejects.toThrow(
      "view.toPng: got no package sharp, which is optional; expected it to be installed. Run npm install sharp, or save as .svg or .html, which need nothing.",
    );
  });

  test("without fonts says so, instead of drawing boxes for letters", () => {
    const folder = mkdtempSync(join(tmpdir(), "limpid-fonts-"));
    try {
      writeFileSync(join(folder, "fonts.conf"), '<?xml version="1.0"?><fontconfig></fontconfig>');
      const index = new URL("../../../src/viz/index.ts", import.meta.url).href;
      const code = `import { heatmap } from "${index}"; heatmap([[1]]).toPng().catch((error) => console.log(error.message));`;
      const env = { ...process.env, FONTCONFIG_FILE: join(folder, "fonts.conf"), XDG_CACHE_HOME: folder };
      const cwd = fileURLToPath(new URL("../../..", import.meta.url));
      const args = ["--import", "tsx", "--input-type=module", "--eval", code];
      expect(spawnSync(process.execPath, args, { env, cwd, encoding: "utf8" }).stdout.trim()).toBe(
        "view.toPng: got a system without fonts; expected at least one font for the labels. Install one, such as apt-get install fonts-dejavu-core, or save as .svg or .html.",
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
