/** Masks on the disk: packed bits in one safetensors file. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FormatError, InputError } from "../../core/index.js";
import { loadStored, openSafetensors, writeSafetensors } from "../../io/index.js";
import type { MatrixKind, WeightMatrix } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { WeightMask } from "./weight-mask.js";

const format = "limpid.weight-mask.v1";

function withEnding(path: string): string {
  return path.endsWith(".safetensors") ? path : `${path}.safetensors`;
}

/**
 * Writes a mask to `PATH.safetensors`, which appears only when complete; returns the path.
 *
 * Bits are packed eight to a byte in the order of each matrix, the lowest first; the model's name and identity and the
 * shapes are in the metadata.
 */
export async function saveMask(path: string, mask: WeightMask): Promise<string> {
  const file = withEnding(path);
  const { model, identity, shapes, matrices } = mask;
  const tensors = [...matrices].map(([name, bits]) => [name, Tensor.of(bits, [bits.length])] as const);
  const about = { format, model, shapes: JSON.stringify(shapes), ...(identity === undefined ? {} : { identity }) };
  await writeSafetensors(file, tensors, { metadata: about });
  return file;
}

/** The file of an embedded mask, or the path as it is. */
function locate(source: string): string {
  const path = withEnding(source);
  if (existsSync(path)) return path;
  const embedded = fileURLToPath(new URL(`../../../fixtures/masks/${path}`, import.meta.url));
  if (/^[\w-]+\/[\w-]+\.safetensors$/.test(path) && existsSync(embedded)) return embedded;
  throw new InputError({
    where: "weightMask.open",
    got: JSON.stringify(source),
    expected: 'a file that weightMask.save wrote, or an embedded mask such as "tiny/bigram"',
    fix: "Check the path.",
  });
}

/**
 * Opens a mask that was saved, or one that comes with limpid: `"tiny/bigram"`.
 *
 * @throws InputError where there is none; FormatError for a file of another kind.
 */
export async function openMask(source: string): Promise<WeightMask> {
  const path = locate(source);
  const { metadata, tensors } = await openSafetensors(path);
  if (metadata["format"] !== format) throw damaged(path, metadata["format"] ?? "no format", format);
  const { model = "", identity } = metadata;
  const shapes = shapesOf(path, metadata["shapes"] ?? "");
  const loaded = await loadStored(tensors);
  const matrices = shapes.map(({ name, shape }): readonly [string, Uint8Array] => {
    const data = loaded[name]?.data;
    const bytes = Math.ceil(shape.reduce((a, b) => a * b, 1) / 8);
    if (!(data instanceof Uint8Array) || data.length !== bytes)
      throw damaged(path, `no bits for ${name}`, `${bytes} bytes`);
    return [name, data];
  });
  return new WeightMask({
    model,
    ...(identity === undefined ? {} : { identity }),
    shapes,
    matrices: new Map(matrices),
  });
}

const kinds: readonly string[] = ["W_Q", "W_K", "W_V", "W_O", "W_in", "W_gate", "W_out"];

function isMatrix(value: unknown): value is WeightMatrix {
  const { name, layer, kind, shape } = Object(value) as Record<string, unknown>;
  const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size > 0);
  return typeof name === "string" && Number.isSafeInteger(layer) && kinds.includes(kind as MatrixKind) && isShape;
}

function shapesOf(path: string, text: string): readonly WeightMatrix[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw damaged(path, "shapes that are no JSON", "a list of matrices");
  }
  if (!Array.isArray(list) || !list.every(isMatrix))
    throw damaged(path, "shapes of another form", "a list of matrices");
  return list;
}

function damaged(path: string, got: string, expected: string): FormatError {
  return new FormatError({ where: path, got, expected, fix: "Save the mask anew with weightMask.save." });
}
