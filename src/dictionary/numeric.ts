/** Runs a dictionary on tensors of your own. */
import { ShapeError, UnsupportedError } from "../core/index.js";
import { type Graph, GraphBuilder, Ops, type Value } from "../graph/index.js";
import { isMappable, type StoredTensor } from "../io/index.js";
import type { ModuleWeight } from "../model/index.js";
import { Engine, type RawTensor } from "../runtime/index.js";
import { Tensor } from "../tensor/index.js";
import type { DictionaryWeightName } from "./config.js";
import type { Dictionary } from "./dictionary.js";
import { decodeGraph, encodeGraph, type ForwardContext, normalizeInput } from "./forward.js";

/** Where a dictionary runs. */
export interface EngineOption {
  /** An engine to share; by default one of its own, closed at the end of the call. */
  readonly engine?: Engine;
}

/** Activations and what they reconstruct. */
export interface Forward {
  /** `[…, nFeatures]` */
  readonly acts: Tensor;
  /** `[…, dOut]` */
  readonly reconstruction: Tensor;
}

/** Declares the weights of a dictionary on a builder, and collects what has to be fed. */
class BoundWeights {
  readonly feeds: Record<string, RawTensor> = {};
  readonly #g: GraphBuilder;
  readonly #dictionary: Dictionary;

  constructor(g: GraphBuilder, dictionary: Dictionary) {
    this.#g = g;
    this.#dictionary = dictionary;
  }

  /** Returns a weight as a value: mapped from its file, or an input. */
  weight(name: DictionaryWeightName): Value {
    const weight: ModuleWeight = this.#dictionary.weight(name);
    if (!(weight instanceof Tensor)) return mapped(this.#g, name, weight);
    this.feeds[name] = { dtype: "float32", shape: weight.shape, data: Float32Array.from(weight.data as Float32Array) };
    return this.#g.input(name, "float32", weight.shape);
  }
}

function mapped(g: GraphBuilder, name: string, stored: StoredTensor): Value {
  const { path, offset, length, shape } = stored;
  if (isMappable(stored)) return g.weight(name, "float32", shape, { kind: "file", path, offset, length });
  throw new UnsupportedError({
    where: `${path}: ${name}`,
    got: "numbers that do not lie row after row",
    expected: "a float32 matrix as it is used",
    fix: "Read it into memory.",
  });
}

type Build = (context: ForwardContext, x: Value) => Readonly<Record<string, Value>>;

interface Question {
  readonly dictionary: Dictionary;
  readonly input: Tensor;
  readonly width: number;
  readonly build: Build;
}

function checkInput({ dictionary, input, width }: Question): void {
  if (input.shape.at(-1) === width) return;
  throw new ShapeError({
    where: `dictionary ${dictionary.name}`,
    got: `an input of shape [${input.shape.join(", ")}]`,
    expected: `[…, ${width}]`,
    fix: `Pass values of ${dictionary.readHook}.`,
  });
}

async function answer(question: Question, { engine }: EngineOption): Promise<Readonly<Record<string, Tensor>>> {
  checkInput(question);
  const { dictionary, input, width, build } = question;
  const g = new GraphBuilder();
  const bound = new BoundWeights(g, dictionary);
  const context = {
    ops: new Ops(g),
    config: dictionary.config,
    weight: (name: DictionaryWeightName) => bound.weight(name),
  };
  const outputs = build(context, g.input("x", "float32", ["rows", width]));
  const graph: Graph = g.build(outputs);
  const rows = input.size / width;
  const feeds = {
    ...used(graph, bound.feeds),
    x: { dtype: "float32" as const, shape: [rows, width], data: floats(input) },
  };
  const own = engine ?? Engine.create({});
  try {
    const results = await own.run({ segments: [graph], outputs: Object.keys(outputs) }, feeds);
    return Object.fromEntries(Object.entries(results).map(([name, raw]) => [name, shaped(name, raw, input)]));
  } finally {
    if (engine === undefined) await own.close();
  }
}

function used(graph: Graph, feeds: Readonly<Record<string, RawTensor>>): Record<string, RawTensor> {
  const names = new Set(graph.inputs.map(({ name }) => name));
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => names.has(name)));
}

function floats(tensor: Tensor): Float32Array {
  return Float32Array.from(tensor.data as ArrayLike<number>);
}

/** The result with the leading axes of the input. */
function shaped(name: string, { data, shape }: RawTensor, input: Tensor): Tensor {
  const axes = [...input.axes.slice(0, -1), name === "acts" ? "feature" : (input.axes.at(-1) ?? "")];
  return Tensor.of(data, [...input.shape.slice(0, -1), shape.at(-1) ?? 0], axes);
}

/** Returns activations of inputs. */
export async function runEncode(dictionary: Dictionary, input: Tensor, options: EngineOption): Promise<Tensor> {
  const build: Build = (context, x) => ({ acts: encodeGraph(context, normalizeInput(context, x).value).acts });
  const question = { dictionary, input, width: dictionary.config.dIn, build };
  const { acts } = await answer(question, options);
  return acts as Tensor;
}

/** Returns reconstructions of activations. */
export async function runDecode(dictionary: Dictionary, input: Tensor, options: EngineOption): Promise<Tensor> {
  const { config } = dictionary;
  if (dictionary.kind === "skip_transcoder" || config.normalization !== "none") {
    throw new UnsupportedError({
      where: `dictionary ${dictionary.name}: decode`,
      got: "activations alone",
      expected: "the input too, which its skip connection or its norm reads",
      fix: "Use dictionary.forward(x).",
    });
  }
  const build: Build = (context, acts) => ({ reconstruction: decodeGraph(context, acts, acts, false) });
  const { reconstruction } = await answer({ dictionary, input, width: config.nFeatures, build }, options);
  return reconstruction as Tensor;
}

/** Returns activations and reconstructions of inputs. */
export async function runForward(dictionary: Dictionary, input: Tensor, options: EngineOption): Promise<Forward> {
  const hasSkip = dictionary.weights.has("W_skip");
  const build: Build = (context, x) => {
    const { value, undo } = normalizeInput(context, x);
    const { acts } = encodeGraph(context, value);
    return { acts, reconstruction: undo(decodeGraph(context, acts, value, hasSkip)) };
  };
  const question = { dictionary, input, width: dictionary.config.dIn, build };
  const { acts, reconstruction } = await answer(question, options);
  return { acts: acts as Tensor, reconstruction: reconstruction as Tensor };
}
