/** The run that is killed: a small network, its batches by number. */
import { adamW, schedule, Trainer, type TrainingBatch } from "../../../src/train/index.js";
import { Generator } from "../../unit/train/golden.js";

/** A fresh trainer; always the same. */
export function makeTrainer(): Trainer {
  return Trainer.create({
    parameters: { W: new Generator(1).tensor([8, 16], 0.5), V: new Generator(2).tensor([16, 2], 0.5) },
    inputs: { x: { dtype: "float32", shape: [8, 8] }, y: { dtype: "float32", shape: [8, 2] } },
    loss: ({ ops, parameter, batch }) => {
      const hidden = ops.tanh(ops.matmul(batch("x"), parameter("W")));
      const error = ops.sub(ops.matmul(hidden, parameter("V")), batch("y"));
      return { loss: ops.reduceMean(ops.mul(error, error), undefined, false) };
    },
    optimizer: adamW({ learningRate: 0.02 }),
    schedule: schedule.warmup(10, schedule.cosine({ steps: 290 })),
    clip: { norm: 1 },
    average: 0.95,
    threads: 1,
  });
}

/** Batch `index`. */
export function makeBatch(index: number): TrainingBatch {
  const generator = new Generator(1 + index);
  return { x: generator.tensor([8, 8], 1), y: generator.tensor([8, 2], 1) };
}
