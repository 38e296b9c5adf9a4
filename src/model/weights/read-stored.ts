/** Stored tensors as a view of a model has them. */
import { readAsFloat32, type StoredTensor } from "../../io/index.js";
import { Tensor } from "../../tensor/index.js";
import { masksOver } from "../edits/keep-weights.js";
import type { ModelView } from "../view.js";

/** Reads a stored tensor whole, with 0 where edits of the view drop a weight. */
export async function readStored({ edits }: ModelView, stored: StoredTensor): Promise<Tensor> {
  const whole = await readAsFloat32(stored);
  return masksOver(edits, stored.name).reduce((tensor, [, bytes]) => {
    const data = tensor.data as Float32Array;
    return Tensor.of(
      data.map((value, i) => (bytes[i] === 1 ? value : 0)),
      tensor.shape,
      tensor.axes,
    );
  }, whole);
}
