/** A small problem with known gradients, for tests of the trainer. */
import { Tensor } from "../../../src/tensor/index.js";
import { type LossFunction, sgd, type TrainerOptions, type TrainingBatch } from "../../../src/train/index.js";

/** A float32 tensor. */
export function floats(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  return Tensor.of(Float32Array.from(values), shape);
}

/** `mean((p - x)^2)` over the rows of `x`: its gradient is `2 (p - mean x) / n` element by element. */
export const squareLoss: LossFunction = ({ ops, parameter, batch, label }) => {
  const error = label("error", ops.sub(parameter("p"), batch("x")));
  return { loss: ops.reduceMean(ops.mul(error, error), undefined, false) };
};

/** A trainer's options for {@link squareLoss} over `p = [1, -2]`. */
export const squareProblem: Omit<TrainerOptions, "engine"> = {
  parameters: { p: floats([1, -2]) },
  inputs: { x: { dtype: "float32", shape: ["rows", 2] } },
  loss: squareLoss,
  optimizer: sgd({ learningRate: 0.5 }),
};

/** Rows of a batch for {@link squareProblem}. */
export function rows(...values: readonly (readonly [number, number])[]): TrainingBatch {
  return { x: floats(values.flat(), [values.length, 2]) };
}

/** Numbers of a tensor. */
export function numbersOf(tensor: Tensor | undefined): readonly number[] {
  return Array.from((tensor?.data ?? []) as Iterable<number>, Number);
}

/** What a call throws; undefined when it returns. */
export function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return String(error);
  }
  return "nothing thrown";
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "nothing thrown",
    (error: unknown) => String(error),
  );
}
