/** Models without some of their weights: which are kept, found in the checkpoint's own tensors. */
import { InputError } from "../../core/index.js";
import type { ModelCore } from "../view.js";
import { maskableMatrices, placesOf, sizeOf } from "../weights/maskable.js";
import type { Edit } from "./types.js";

/** The weights to keep: one bit each, by matrix, in TransformerLens's names and shapes; matrices not named are kept whole. */
export interface KeptWeights {
  /** Identity of the checkpoint that the mask was made for; absent where any of the same shapes will do. */
  readonly identity?: string;
  /** Bits in the order of the matrix's elements, eight to a byte, the lowest bit first; 1 is kept. */
  readonly matrices: ReadonlyMap<string, Uint8Array>;
}

/** One byte for each element of stored tensors, 1 where it is kept. */
export type KeptBytes = ReadonlyMap<string, Uint8Array>;

/** The name under which the edit counts among hook points. */
export const weightsPoint = "weights";

/** Returns the edit that keeps some weights and takes all others of the same matrices as 0. */
export function keepWeights(kept: KeptWeights): Edit {
  return { name: "keepWeights", hook: [], change: { kind: "keepWeights", kept }, select: {} };
}

function checkShapes(core: ModelCore, { matrices, identity }: KeptWeights): void {
  const own = core.checkpoint.identity;
  if (identity !== undefined && own !== undefined && identity !== own)
    throw refused(`a mask of the checkpoint ${identity}`, `one of ${core.checkpoint.id} (${own})`);
  const shapes = new Map(maskableMatrices(core).map(({ name, shape }) => [name, shape]));
  for (const [name, bits] of matrices) {
    const shape = shapes.get(name);
    // Names that the model lacks are refused with the names that it has, where they are looked up.
    if (shape === undefined) continue;
    const bytes = Math.ceil(sizeOf(shape) / 8);
    if (bits.length !== bytes)
      throw refused(`${bits.length} bytes for ${name}`, `${bytes}, one bit for each of [${shape.join(", ")}]`);
  }
  if (matrices.size === 0) throw refused("no matrix", "at least one");
}

/** Returns which elements of the checkpoint's tensors are kept; tensors that no matrix names are left out. */
function storedBytes(core: ModelCore, kept: KeptWeights): KeptBytes {
  checkShapes(core, kept);
  const found = new Map<string, Uint8Array>();
  for (const [name, bits] of kept.matrices) {
    const { stored, places } = placesOf(core, name);
    const bytes = found.get(stored) ?? new Uint8Array(sizeOf(core.tensors.get(stored)?.shape ?? [])).fill(1);
    places.forEach((place, i) => {
      bytes[place] = ((bits[i >> 3] ?? 0) >> (i & 7)) & 1;
    });
    found.set(stored, bytes);
  }
  return found;
}

/**
 * Returns an edit as a model takes it: masks of weights are looked up in its checkpoint once, all others stay as they are.
 *
 * @throws InputError for a mask of another checkpoint or of other shapes.
 */
export function boundEdit(core: ModelCore, edit: Edit): Edit {
  if (edit.change.kind !== "keepWeights" || edit.change.stored !== undefined) return edit;
  return { ...edit, change: { ...edit.change, stored: storedBytes(core, edit.change.kept) } };
}

/** The masks of some edits over one stored tensor, each with its number among the edits. */
export function masksOver(
  edits: readonly Edit[],
  stored: string,
): readonly (readonly [index: number, bytes: Uint8Array])[] {
  return edits.flatMap(({ change }, index) => {
    const bytes = change.kind === "keepWeights" ? change.stored?.get(stored) : undefined;
    return bytes === undefined ? [] : [[index, bytes] as const];
  });
}

function refused(got: string, expected: string): InputError {
  return new InputError({
    where: "edit.keepWeights",
    got,
    expected,
    fix: "Make the mask from this model, or open its own.",
  });
}
