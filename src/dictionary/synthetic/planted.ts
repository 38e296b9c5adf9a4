/**
 * Activations with planted features: a world in which the right dictionary is known.
 *
 * Each token fires each feature with probability p, at a strength drawn uniformly; its vector is the sum of the features'
 * unit directions, with noise where asked. Batch i depends on the seed and i alone, so that a run can be resumed anywhere.
 *
 * Sharkey, Braun and Millidge 2022, "Taking features out of superposition with sparse autoencoders".
 */
import { createRandom, InputError, printsItself, type Random } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";

/** What is planted. */
export interface PlantedOptions {
  /** Width of the vectors. */
  readonly d: number;
  /** How many features there are; more than `d` lie in superposition. */
  readonly features: number;
  /** Probability that a feature fires on a token. */
  readonly p: number;
  readonly seed?: number;
  /** Least and greatest strength of a firing feature; default `[0.5, 1.5]`. */
  readonly strength?: readonly [number, number];
  /** Standard deviation of Gaussian noise in each dimension; default 0. */
  readonly noise?: number;
}

/** A batch of planted activations. */
export interface PlantedBatch {
  /** `[batch, dModel]`. */
  readonly x: Tensor;
  /** True activations, `[batch, feature]`. */
  readonly acts: Tensor;
}

/** A source of activations with known features. */
export class PlantedFeatures {
  static {
    printsItself(this.prototype);
  }

  readonly d: number;
  readonly features: number;
  readonly p: number;
  readonly seed: number;
  /** Unit directions, `[feature, dModel]`. */
  readonly directions: Tensor;
  readonly #strength: readonly [number, number];
  readonly #noise: number;

  /** @internal Use {@link plantedFeatures}. */
  constructor({ d, features, p, seed = 0, strength = [0.5, 1.5], noise = 0 }: PlantedOptions) {
    this.d = d;
    this.features = features;
    this.p = p;
    this.seed = seed;
    this.#strength = strength;
    this.#noise = noise;
    this.directions = Tensor.of(unitDirections(createRandom(seed), features, d), [features, d], ["feature", "dModel"]);
  }

  /** Mean number of features that fire on a token. */
  get l0(): number {
    return this.p * this.features;
  }

  /** Returns batch `index` of `size` tokens; the same for the same seed, index and size. */
  batch(index: number, size: number): PlantedBatch {
    const random = createRandom(this.seed * 1_000_003 + 7919 * (index + 1));
    const acts = new Float32Array(size * this.features);
    const x = new Float32Array(size * this.d);
    const rows = this.directions.data as Float32Array;
    const [low, high] = this.#strength;
    for (let at = 0; at < acts.length; at++) {
      if (random.uniform() >= this.p) continue;
      const strength = low + (high - low) * random.uniform();
      acts[at] = strength;
      const [token, feature] = [Math.floor(at / this.features), at % this.features];
      for (let i = 0; i < this.d; i++)
        x[token * this.d + i] = (x[token * this.d + i] as number) + strength * (rows[feature * this.d + i] as number);
    }
    if (this.#noise > 0) for (let i = 0; i < x.length; i++) x[i] = (x[i] as number) + this.#noise * random.normal();
    return {
      x: Tensor.of(x, [size, this.d], ["batch", "dModel"]),
      acts: Tensor.of(acts, [size, this.features], ["batch", "feature"]),
    };
  }

  /** Returns one line. */
  toString(): string {
    return `planted features: ${this.features} in ${this.d} dimensions, p ${this.p}, seed ${this.seed}`;
  }
}

function unitDirections(random: Random, count: number, d: number): Float32Array {
  const data = new Float32Array(count * d);
  for (let row = 0; row < count; row++) {
    const own = Array.from({ length: d }, () => random.normal());
    const norm = Math.sqrt(own.reduce((sum, one) => sum + one * one, 0));
    data.set(
      own.map((one) => one / norm),
      row * d,
    );
  }
  return data;
}

/**
 * Returns a source of activations whose features are known.
 *
 * @throws InputError for sizes below 1, a probability outside (0, 1), or a strength that is not above 0.
 */
export function plantedFeatures(options: PlantedOptions): PlantedFeatures {
  const { d, features, p, strength: [low, high] = [0.5, 1.5], noise = 0 } = options;
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
  const checks: readonly (readonly [boolean, string, unknown, string])[] = [
    [isCount(d), "d", d, "a whole number, at least 1"],
    [isCount(features), "features", features, "a whole number, at least 1"],
    [p > 0 && p < 1, "p", p, "a probability between 0 and 1"],
    [
      low > 0 && high >= low && high < Number.POSITIVE_INFINITY,
      "strength",
      `${low} to ${high}`,
      "two numbers above 0, the lower first",
    ],
    [noise >= 0 && noise < Number.POSITIVE_INFINITY, "noise", noise, "0 or more"],
  ];
  const wrong = checks.find(([isRight]) => !isRight);
  if (wrong === undefined) return new PlantedFeatures(options);
  throw new InputError({
    where: `plantedFeatures: ${wrong[1]}`,
    got: String(wrong[2]),
    expected: wrong[3],
    fix: "Write plantedFeatures({ d: 64, features: 128, p: 0.03 }), for instance.",
  });
}
