/** A sparse dictionary as a value: its configuration, its weights, and what is known of its features. */
import { InputError, printsItself, ShapeError } from "../core/index.js";
import { readFloat32Row } from "../io/index.js";
import type { Edit, ModuleWeight } from "../model/index.js";
import { Tensor } from "../tensor/index.js";
import {
  type DictionaryConfig,
  type DictionaryKind,
  type DictionaryWeightName,
  type FeatureStatistics,
  weightShapes,
} from "./config.js";
import { type EngineOption, type Forward, runDecode, runEncode, runForward } from "./numeric.js";
import { type SpliceHooks, type SpliceOptions, splice, spliceHooks } from "./splice.js";

/** Weights by name: in memory, or in a file that graphs point into. */
export type DictionaryWeights = ReadonlyMap<DictionaryWeightName, ModuleWeight>;

/** One feature of a dictionary: a direction at a hook point, as `edit.steer` takes it. */
export interface DictionaryFeature {
  /** The hook point that the dictionary writes to, such as `blocks.3.hook_resid_post`. */
  readonly hook: string;
  readonly index: number;
  /** The decoder row, `[dOut]`. */
  readonly direction: Float32Array;
  /** Mean activation where the feature is active, when the dictionary knows it. */
  readonly meanActivation?: number;
  /** Largest activation seen, when the dictionary knows it. */
  readonly maxActivation?: number;
  /** Fraction of tokens on which it fires, when the dictionary knows it. */
  readonly density?: number;
}

/** The parts of a dictionary. */
export interface DictionaryParts {
  /** A short name for messages and reports. */
  readonly name: string;
  readonly config: DictionaryConfig;
  readonly weights: DictionaryWeights;
  readonly statistics?: FeatureStatistics;
}

/**
 * A sparse dictionary that knows where it reads and writes: an SAE, a transcoder or a skip transcoder.
 *
 * Immutable; nothing is ever attached to a model. Notation as in SAELens, rows are vectors:
 * `acts = act((x − b_dec) W_enc + b_enc)`, `reconstruction = acts W_dec + b_dec (+ x W_skipᵀ)`.
 */
export class Dictionary {
  static {
    printsItself(this.prototype);
  }

  readonly name: string;
  readonly config: DictionaryConfig;
  /** Each a tensor in memory, or the place of float32 numbers in a file. */
  readonly weights: DictionaryWeights;
  /** What was measured of each feature; absent where nobody did. */
  readonly statistics: FeatureStatistics | undefined;

  /**
   * Puts a dictionary together.
   *
   * @throws ShapeError when a weight is missing, surplus or of another shape than the configuration says.
   */
  constructor({ name, config, weights, statistics }: DictionaryParts) {
    checkWeights(name, config, weights);
    this.name = name;
    this.config = config;
    this.weights = weights;
    this.statistics = statistics;
  }

  /** What it reads and writes. */
  get kind(): DictionaryKind {
    if (this.weights.has("W_skip")) return "skip_transcoder";
    return this.config.readHook === this.config.writeHook ? "sae" : "transcoder";
  }

  /** The hook point read. */
  get readHook(): string {
    return this.config.readHook;
  }

  /** The hook point reconstructed. */
  get writeHook(): string {
    return this.config.writeHook;
  }

  /** Number of features. */
  get nFeatures(): number {
    return this.config.nFeatures;
  }

  /** Full names of the hook points that a model has once the dictionary is spliced in. */
  get hooks(): SpliceHooks {
    return spliceHooks(this.config.writeHook);
  }

  /**
   * Returns one feature: its decoder row, and what is known of its activations.
   *
   * @throws InputError for an index outside the dictionary.
   */
  feature(index: number): DictionaryFeature {
    checkFeature(this, index);
    const { statistics } = this;
    const known = statistics && {
      meanActivation: statistics.meanActivation[index] ?? 0,
      maxActivation: statistics.maxActivation[index] ?? 0,
      density: statistics.density[index] ?? 0,
    };
    return { hook: this.config.writeHook, index, direction: rowOf(this.weight("W_dec"), index), ...known };
  }

  /**
   * Returns a weight as it is held.
   *
   * @throws InputError when the dictionary has none of that name.
   */
  weight(name: DictionaryWeightName): ModuleWeight {
    const found = this.weights.get(name);
    if (found !== undefined) return found;
    throw new InputError({
      where: `dictionary ${this.name}: weight ${name}`,
      got: "a weight that it does not have",
      expected: `one of ${[...this.weights.keys()].join(", ")}`,
      fix: "See dictionary.kind and dictionary.config.activation.",
    });
  }

  /**
   * Returns activations `[…, nFeatures]` of inputs `[…, dIn]`.
   *
   * For many calls pass an `engine`; without one, each call starts and closes its own.
   */
  encode(x: Tensor, options: EngineOption = {}): Promise<Tensor> {
    return runEncode(this, x, options);
  }

  /**
   * Returns reconstructions `[…, dOut]` of activations `[…, nFeatures]`.
   *
   * @throws UnsupportedError for skip transcoders and input norms, whose output needs the input too: use `forward`.
   */
  decode(acts: Tensor, options: EngineOption = {}): Promise<Tensor> {
    return runDecode(this, acts, options);
  }

  /** Returns activations and reconstruction of inputs `[…, dIn]`. */
  forward(x: Tensor, options: EngineOption = {}): Promise<Forward> {
    return runForward(this, x, options);
  }

  /**
   * Returns an edit that puts the dictionary into a model: `model.with(dictionary.splice())`.
   *
   * The hook point that it writes to then holds the reconstruction, and {@link Dictionary.hooks} are hook points of the
   * edited model: capture, edit and differentiate features there. With `errorTerm: true` the reconstruction error is
   * added back, so that only edits of features change the model.
   */
  splice(options: SpliceOptions = {}): Edit {
    return splice(this, options);
  }

  /** Returns the same dictionary with measured statistics of its features. */
  withStatistics(statistics: FeatureStatistics): Dictionary {
    return new Dictionary({ name: this.name, config: this.config, weights: this.weights, statistics });
  }

  /** Returns two lines of description. */
  toString(): string {
    const { architecture, activation, dIn, nFeatures, readHook, writeHook } = this.config;
    const places = readHook === writeHook ? readHook : `${readHook} -> ${writeHook}`;
    const k = activation.kind === "topk" ? `, k ${activation.k}` : "";
    return `Dictionary ${this.name}: ${this.kind} (${architecture}${k}), ${dIn} -> ${nFeatures} features\n  ${places}`;
  }
}

function rowOf(matrix: ModuleWeight, row: number): Float32Array {
  if (!(matrix instanceof Tensor)) return readFloat32Row(matrix, row);
  const width = matrix.shape[1] ?? 0;
  return Float32Array.from({ length: width }, (_, i) => Number(matrix.data[row * width + i]));
}

function checkFeature({ name, config }: Dictionary, index: number): void {
  if (Number.isInteger(index) && index >= 0 && index < config.nFeatures) return;
  throw new InputError({
    where: `dictionary ${name}: feature`,
    got: String(index),
    expected: `a whole number from 0 to ${config.nFeatures - 1}`,
    fix: "Pick one from an overview or a dashboard.",
  });
}

function checkWeights(name: string, config: DictionaryConfig, weights: DictionaryWeights): void {
  const wanted = weightShapes(config, weights.has("W_skip"));
  for (const [key, shape] of wanted) {
    const found = weights.get(key);
    const isRight =
      found !== undefined && found.shape.length === shape.length && found.shape.every((size, i) => size === shape[i]);
    if (!isRight) throw wrongWeight(name, key, found?.shape, shape);
    if (found.dtype !== "float32") throw wrongWeight(name, key, [found.dtype], ["float32"]);
  }
  const surplus = [...weights.keys()].find((key) => !wanted.has(key));
  if (surplus !== undefined) throw wrongWeight(name, surplus, weights.get(surplus)?.shape, undefined);
}

type Described = readonly (number | string)[] | undefined;

function wrongWeight(name: string, key: string, got: Described, wanted: Described): ShapeError {
  const print = (shape: Described): string => (shape === undefined ? "none" : `[${shape.join(", ")}]`);
  return new ShapeError({
    where: `dictionary ${name}: weight ${key}`,
    got: print(got),
    expected: print(wanted),
    fix: "Check the sizes, the activation and the layout of the weights: rows are vectors.",
  });
}
