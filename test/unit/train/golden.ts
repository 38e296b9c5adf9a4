/** The numbers that `scripts/train-golden/make.py` makes, made again. */
import { readFileSync } from "node:fs";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

/** `s <- (1103515245 s + 12345) mod 2^31`, as in the script. */
export class Generator {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  uniform(): number {
    this.#state = (Math.imul(1103515245, this.#state) + 12345) & 0x7fff_ffff;
    return this.#state / 2 ** 31;
  }

  tensor(shape: readonly number[], scale: number): Tensor {
    const size = shape.reduce((product, one) => product * one, 1);
    return Tensor.of(
      Float32Array.from({ length: size }, () => (2 * this.uniform() - 1) * scale),
      shape,
    );
  }
}

/** The tiny model of the script, in `HookedTransformerConfig` words. */
export const tinyModel = {
  n_layers: 2,
  d_model: 32,
  n_heads: 4,
  d_head: 8,
  d_mlp: 128,
  n_ctx: 32,
  d_vocab: 64,
  act_fn: "gelu_new",
  normalization_type: "LN",
};

/** Rows of the script's batch `step`, `[8][33]`. */
export function goldenRows(step: number): readonly (readonly number[])[] {
  const generator = new Generator(1000 + step);
  return Array.from({ length: 8 }, () => {
    const row = [Math.floor(64 * generator.uniform())];
    while (row.length < 33) {
      const [draw, other] = [generator.uniform(), generator.uniform()];
      row.push(draw < 1 / 8 ? Math.floor(64 * other) : (5 * (row.at(-1) ?? 0) + 7) % 64);
    }
    return row;
  });
}

/** Weights that the script begins with, for names and shapes of its own order. */
export function goldenWeights(shapes: ReadonlyMap<string, readonly number[]>): Readonly<Record<string, Tensor>> {
  const names = [...shapes.keys()].sort();
  const one = (name: string, index: number): Tensor => {
    const shape = shapes.get(name) ?? [];
    const size = shape.reduce((product, size) => product * size, 1);
    if (name.endsWith(".w")) return Tensor.of(new Float32Array(size).fill(1), shape);
    return shape.length === 1 ? Tensor.of(new Float32Array(size), shape) : new Generator(index + 1).tensor(shape, 0.1);
  };
  return Object.fromEntries(names.map((name, index) => [name, one(name, index)]));
}

/** Reads one of the script's files. */
export function golden(name: "tiny-lm" | "optimizers"): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(fixture("training", `${name}.json`), "utf8")) as Record<string, unknown>;
}
