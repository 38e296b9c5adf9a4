import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Rgb } from "../../../src/viz/color.js";
import { base64, encodePng, type Field } from "../../../src/viz/png.js";

function fieldOf(rows: readonly (readonly Rgb[])[], cellWidth = 1, cellHeight = 1): Field {
  const columns = rows[0]?.length ?? 0;
  return { columns, rows: rows.length, cellWidth, cellHeight, color: (x, y) => rows[y]?.[x] ?? [0, 0, 0] };
}

/** Type and data of every chunk, in order. */
function chunksOf(png: Uint8Array): readonly (readonly [string, Buffer])[] {
  const view = new DataView(png.buffer);
  const chunks: [string, Buffer][] = [];
  for (let at = 8; at < png.length; at += 12 + view.getUint32(at)) {
    const data = Buffer.from(png.subarray(at + 8, at + 8 + view.getUint32(at)));
    chunks.push([String.fromCharCode(...png.subarray(at + 4, at + 8)), data]);
  }
  return chunks;
}

describe("encodePng", () => {
  const bytes = encodePng(
    fieldOf([
      [
        [255, 0, 0],
        [0, 255, 0],
      ],
      [
        [0, 255, 0],
        [1, 2, 3],
      ],
    ]),
  );

  test("starts with the signature, and has a header of its size and kind", () => {
    expect([...bytes.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
    const [header] = chunksOf(bytes);
    expect(header?.[0]).toBe("IHDR");
    expect([...(header?.[1] ?? [])]).toEqual([0, 0, 0, 2, 0, 0, 0, 2, 8, 3, 0, 0, 0]);
  });

  test("its pixels are numbers of its palette, each line after a filter byte of 0", () => {
    const chunks = new Map(chunksOf(bytes));
    expect([...(chunks.get("PLTE") ?? [])]).toEqual([255, 0, 0, 0, 255, 0, 1, 2, 3]);
    expect([...inflateSync(chunks.get("IDAT") ?? Buffer.of())]).toEqual([0, 0, 1, 0, 1, 2]);
  });

  test("its last chunk has the checksum that the specification gives for an empty IEND", () => {
    expect(Buffer.from(bytes.subarray(-12)).toString("hex")).toBe("0000000049454e44ae426082");
  });

  test("cells are enlarged; repeated lines are differences of 0 to the line above", () => {
    const large = encodePng(
      fieldOf(
        [
          [
            [9, 9, 9],
            [8, 8, 8],
          ],
        ],
        3,
        2,
      ),
    );
    const lines = inflateSync(new Map(chunksOf(large)).get("IDAT") ?? Buffer.of());
    expect([...lines]).toEqual([0, 0, 0, 0, 1, 1, 1, 2, 0, 0, 0, 0, 0, 0]);
  });

  test("more than 256 colours are written as truecolour", () => {
    const row = Array.from({ length: 300 }, (_, i): Rgb => [i >> 8, i & 255, 7]);
    const chunks = new Map(chunksOf(encodePng(fieldOf([row]))));
    expect(chunks.get("IHDR")?.[9]).toBe(2);
    expect([...inflateSync(chunks.get("IDAT") ?? Buffer.of())]).toEqual([0, ...row.flat()]);
  });
});

describe("base64", () => {
  test("encodes bytes and the UTF-8 of text", () => {
    expect(base64(Uint8Array.from([0, 255, 16]))).toBe("AP8Q");
    expect(base64("é")).toBe("w6k=");
  });
});
