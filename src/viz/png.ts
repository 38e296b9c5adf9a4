/**
 * A PNG writer for fields of colour: 8-bit truecolour, one pixel a cell.
 *
 * @see PNG Specification, third edition (W3C), sections 5 (datastream) and 11 (chunks).
 */
import { crc32, deflateSync } from "node:zlib";
import type { Rgb } from "./color.js";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Returns a PNG file of `rows`, all of the same length, first row on top. */
export function encodePng(rows: readonly (readonly Rgb[])[]): Uint8Array {
  const width = rows[0]?.length ?? 0;
  const chunks = [
    Uint8Array.from(signature),
    chunk("IHDR", header(width, rows.length)),
    chunk("IDAT", deflateSync(scanLines(rows, width), { level: 9 })),
    chunk("IEND", new Uint8Array(0)),
  ];
  return concatBytes(chunks);
}

/** Width, height, 8 bits a sample, colour type 2 (truecolour), then compression, filter and interlace methods 0. */
function header(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(13);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  bytes.set([8, 2, 0, 0, 0], 8);
  return bytes;
}

/** Each line starts with its filter type, 0 (none). */
function scanLines(rows: readonly (readonly Rgb[])[], width: number): Uint8Array {
  const stride = 1 + 3 * width;
  const bytes = new Uint8Array(stride * rows.length);
  rows.forEach((row, y) => {
    row.forEach((color, x) => {
      bytes.set(color, y * stride + 1 + 3 * x);
    });
  });
  return bytes;
}

/** Length, type, data and the checksum of type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Returns bytes in base64. */
export function base64(bytes: Uint8Array | string): string {
  return Buffer.from(bytes as Uint8Array).toString("base64");
}
