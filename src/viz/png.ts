/**
 * A PNG writer for fields of equal cells: a palette of up to 256 colours, or truecolour when there are more.
 *
 * @see PNG Specification, third edition (W3C), sections 5 (datastream), 9 (filtering) and 11 (chunks).
 */
import { crc32, deflateSync } from "node:zlib";
import type { Rgb } from "./color.js";

/** A field of cells, each `cellWidth` by `cellHeight` pixels. */
export interface Field {
  readonly columns: number;
  readonly rows: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** The colour of column `x` in row `y`. */
  readonly color: (x: number, y: number) => Rgb;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const truecolor = 2;
const indexed = 3;

/** Returns a PNG file of `field`, first row on top. */
export function encodePng(field: Field): Uint8Array {
  const { codes, palette } = indexColors(field);
  const isIndexed = palette.length <= 256;
  const samples = isIndexed ? palette.map((_, code) => [code]) : palette;
  return concatBytes([
    Uint8Array.from(signature),
    chunk("IHDR", header(field, isIndexed ? indexed : truecolor)),
    ...(isIndexed ? [chunk("PLTE", Uint8Array.from(palette.flat()))] : []),
    chunk("IDAT", deflateSync(scanLines(field, codes, samples), { level: 9 })),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/** The number of each cell's colour, row by row, and the colours in the order of their first use. */
function indexColors(field: Field): { codes: Uint32Array; palette: readonly Rgb[] } {
  const codes = new Uint32Array(field.columns * field.rows);
  const palette: Rgb[] = [];
  const known = new Map<number, number>();
  for (let cell = 0; cell < codes.length; cell++) {
    const color = field.color(cell % field.columns, Math.floor(cell / field.columns));
    const packed = color[0] * 65_536 + color[1] * 256 + color[2];
    let code = known.get(packed);
    if (code === undefined) {
      code = palette.push(color) - 1;
      known.set(packed, code);
    }
    codes[cell] = code;
  }
  return { codes, palette };
}

/** Width, height, 8 bits a sample, the colour type, then compression, filter and interlace methods 0. */
function header(field: Field, colorType: number): Uint8Array {
  const bytes = new Uint8Array(13);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, field.columns * field.cellWidth);
  view.setUint32(4, field.rows * field.cellHeight);
  bytes.set([8, colorType, 0, 0, 0], 8);
  return bytes;
}

/** Each line starts with its filter: 0 (none) for the first of a row of cells, 2 (up: all differences 0) for the rest. */
function scanLines(field: Field, codes: Uint32Array, samples: readonly (readonly number[])[]): Uint8Array {
  const { columns, rows, cellWidth, cellHeight } = field;
  const depth = samples[0]?.length ?? 1;
  const stride = 1 + depth * columns * cellWidth;
  const bytes = new Uint8Array(stride * rows * cellHeight);
  for (let y = 0; y < rows; y++) {
    let at = y * cellHeight * stride + 1;
    for (let x = 0; x < columns * cellWidth; x++) {
      bytes.set(samples[codes[y * columns + Math.floor(x / cellWidth)] ?? 0] ?? [], at);
      at += depth;
    }
    for (let line = 1; line < cellHeight; line++) bytes[(y * cellHeight + line) * stride] = 2;
  }
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

/** Returns bytes, or the UTF-8 of text, in base64. */
export function base64(bytes: Uint8Array | string): string {
  return Buffer.from(bytes as Uint8Array).toString("base64");
}
