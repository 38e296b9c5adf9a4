import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { base64, encodePng } from "../../../src/viz/png.js";

describe("encodePng", () => {
  const bytes = encodePng([
    [
      [255, 0, 0],
      [0, 255, 0],
    ],
    [
      [0, 0, 255],
      [1, 2, 3],
    ],
  ]);
  const view = new DataView(bytes.buffer);

  test("starts with the signature and a header of its size", () => {
    expect([...bytes.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
    expect([view.getUint32(16), view.getUint32(20), bytes[24], bytes[25]]).toEqual([2, 2, 8, 2]);
  });

  test("its pixels come back, each line after a filter byte of 0", () => {
    const length = view.getUint32(33);
    const lines = inflateSync(bytes.subarray(41, 41 + length));
    expect([...lines]).toEqual([0, 255, 0, 0, 0, 255, 0, 0, 0, 0, 255, 1, 2, 3]);
  });

  test("its last chunk has the checksum that the specification gives for an empty IEND", () => {
    expect(Buffer.from(bytes.subarray(-12)).toString("hex")).toBe("0000000049454e44ae426082");
  });
});

describe("base64", () => {
  test("encodes bytes and the UTF-8 of text", () => {
    expect(base64(Uint8Array.from([0, 255, 16]))).toBe("AP8Q");
    expect(base64("é")).toBe("w6k=");
  });
});
