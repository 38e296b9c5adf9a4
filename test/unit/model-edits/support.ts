/** What the edit tests share: one GPT-2 fixture, runs that return one hook point, and edits computed by hand. */
import { afterAll } from "vitest";
import { type Edit, loadModel, type Model, type ModelInput } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

/** Two rows of token ids. */
export const rows: readonly (readonly number[])[] = [
  [3, 1, 4, 1, 5],
  [9, 2, 6, 5, 3],
];

/** Opens a fixture and closes it when the file is done. */
export function open(name = "gpt2"): Promise<Model> {
  const model = loadModel(fixture("architectures", name));
  afterAll(async () => (await model).close());
  return model;
}

/** The value of one hook point under edits. */
export async function valueOf(
  model: Model,
  hook: string,
  edits: readonly Edit[],
  input: ModelInput = rows,
): Promise<Tensor> {
  const run = await model.with(...edits).run(input, { capture: hook, logits: "none" });
  return run.cache.get(hook);
}

/** Changes the elements that `touches` allows, index by index. */
export function byHand(
  base: Tensor,
  touches: (index: Readonly<Record<string, number>>) => boolean,
  change: (value: number, index: Readonly<Record<string, number>>) => number,
): Tensor {
  const data = Array.from(base.data as Float32Array);
  const index = (flat: number): Record<string, number> => {
    let rest = flat;
    const entries = [...base.axes].reverse().map((axis, i): [string, number] => {
      const size = base.shape[base.shape.length - 1 - i] ?? 1;
      const at = rest % size;
      rest = Math.floor(rest / size);
      return [axis, at];
    });
    return Object.fromEntries(entries);
  };
  const changed = data.map((value, flat) => (touches(index(flat)) ? change(value, index(flat)) : value));
  return Tensor.of(Float32Array.from(changed), base.shape, [...base.axes]);
}
