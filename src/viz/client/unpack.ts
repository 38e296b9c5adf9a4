/** The inverse of `pack.ts`: compressed lists back to numbers and texts. */
import type { Packed } from "../pack.js";
import type { Cell } from "../spec.js";

/** A spec as it was, and the coarsest step to which any of its numbers was rounded; 0 when all are exact. */
export interface Unpacked {
  readonly value: unknown;
  readonly rounding: number;
}

/** Returns `value` with its packed lists restored. */
export async function unpack(value: unknown): Promise<Unpacked> {
  if (isPacked(value)) return unpackList(value);
  if (typeof value !== "object" || value === null) return { value, rounding: 0 };
  const isList = Array.isArray(value);
  const items = isList ? value.map((item: unknown) => ["", item] as const) : Object.entries(value);
  const parts = await Promise.all(items.map(async ([key, item]) => [key, await unpack(item)] as const));
  const rounding = Math.max(0, ...parts.map(([, part]) => part.rounding));
  const restored = isList
    ? parts.map(([, part]) => part.value)
    : Object.fromEntries(parts.map(([key, part]) => [key, part.value]));
  return { value: restored, rounding };
}

function isPacked(value: unknown): value is Packed {
  return typeof value === "object" && value !== null && "packed" in value && "data" in value;
}

async function unpackList(list: Packed): Promise<Unpacked> {
  const bytes = await gunzip(list.data);
  if (list.packed === "text") {
    return { value: nest(JSON.parse(new TextDecoder().decode(bytes)) as unknown[], list.shape), rounding: 0 };
  }
  const count = bytes.length / list.packed;
  const levels = list.packed === 1 ? 253 : 65_533;
  const special: readonly Cell[] = ["Infinity", "-Infinity", "NaN"];
  const cells = Array.from({ length: count }, (_, i): Cell => {
    const code = (bytes[i] ?? 0) + (list.packed === 1 ? 0 : 256 * (bytes[count + i] ?? 0));
    return code < levels ? (code - list.zero) * list.step : (special[code - levels] ?? "NaN");
  });
  return { value: nest(cells, list.shape), rounding: list.step === 1 ? 0 : list.step };
}

/** Unpacks gzip in base64. */
async function gunzip(data: string): Promise<Uint8Array> {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function nest(flat: readonly unknown[], shape: readonly number[]): readonly unknown[] {
  const [first = 0, ...rest] = shape;
  if (rest.length === 0) return flat;
  const size = flat.length / first;
  return Array.from({ length: first }, (_, i) => nest(flat.slice(i * size, (i + 1) * size), rest));
}
