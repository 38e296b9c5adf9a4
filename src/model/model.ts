/** The public model: an immutable view that runs, explains itself and makes edited views. */
import { InputError, printsItself } from "../core/index.js";
import { Tensor } from "../tensor/index.js";
import type { ActivationCache } from "./cache/activation-cache.js";
import type { ModelConfig } from "./config.js";
import { edit } from "./edits/edit.js";
import { boundEdit } from "./edits/keep-weights.js";
import type { Edit, EditCallback } from "./edits/types.js";
import {
  type GeneratedTokens,
  type GenerateOptions,
  type Generation,
  generate,
  generateStream,
} from "./generate/generate.js";
import type { HookSpecs } from "./hooks/index.js";
import {
  type ActivationShards,
  type OverInputs,
  type OverOptions,
  type OverResult,
  type OverSummary,
  overModel,
  type ReduceOption,
  type ReduceOptions,
  type WriteOptions,
} from "./over/index.js";
import type { HookPoint } from "./plan/build.js";
import { type Explanation, explainRun } from "./plan/explain.js";
import { describeHookPoints } from "./plan/resolve.js";
import { checkProcessing, type Processing } from "./processing.js";
import { type Batch, prepareInput } from "./run/input.js";
import type { InputOptions, ModelInput } from "./run/input-types.js";
import type { RunOptions } from "./run/options.js";
import type { Run } from "./run/result.js";
import { runModel } from "./run/run.js";
import { type PromptTest, type TestPromptOptions, testPrompt } from "./run/test-prompt.js";
import type { Tokenizer } from "./tokenizer/index.js";
import type { ModelView } from "./view.js";
import { Weights } from "./weights/weights.js";

/** A hook and the function to call there: `[at.z(5), (z) => z.mul(2)]`. */
export type HookFunction = readonly [HookSpecs, EditCallback];

/**
 * A transformer whose every named value can be read and edited.
 *
 * A model is an immutable view: `with`, `processed` and `withPrecision` return new views over the same weights.
 */
export class Model {
  static {
    printsItself(this.prototype);
  }

  /** @internal */
  readonly view: ModelView;

  /** @internal Use {@link loadModel}. */
  constructor(view: ModelView) {
    this.view = view;
  }

  /** Sizes and switches. */
  get config(): ModelConfig {
    return this.view.core.config;
  }

  /** The source as it was named when loaded. */
  get id(): string {
    return this.view.core.checkpoint.id;
  }

  /** The edits of this view, in the order they act. */
  get edits(): readonly Edit[] {
    return this.view.edits;
  }

  /**
   * The model's own tokenizer.
   *
   * @throws InputError when the model has none.
   */
  get tokenizer(): Tokenizer {
    const { tokenizer } = this.view.core;
    if (tokenizer !== undefined) return tokenizer;
    throw new InputError({
      where: "model.tokenizer",
      got: "a model without tokenizer.json",
      expected: "a model folder with a tokenizer",
      fix: "Pass token ids instead of text.",
    });
  }

  /** Weights under TransformerLens's names and shapes, as this view's processing makes them. */
  get weights(): Weights {
    return new Weights(this.view);
  }

  /** Names of every hook point, in the order they are computed. */
  hookNames(): readonly string[] {
    return [...this.hookPoints().keys()];
  }

  /** Every hook point with its axes and symbolic shape; no weight is read. */
  hookPoints(): ReadonlyMap<string, HookPoint> {
    return describeHookPoints(this.view);
  }

  /**
   * Returns the same model with edits, after those it already has.
   *
   * Names are checked when the view is used, so that an edit can be written before a layer list is chosen.
   */
  with(...edits: readonly Edit[]): Model {
    const bound = edits.map((one) => boundEdit(this.view.core, one));
    return new Model({ ...this.view, edits: [...this.view.edits, ...bound] });
  }

  /**
   * Returns the same model under TransformerLens's weight processing; the checkpoint stays as it is.
   *
   * @throws UnsupportedError when the processing would change the model's probabilities.
   */
  processed(processing: Partial<Processing>): Model {
    const all = { ...this.view.processing, ...processing };
    checkProcessing(this.config, all);
    return new Model({ ...this.view, processing: all });
  }

  /** Returns the same model computing in another precision. */
  withPrecision(precision: "float32" | "float64"): Model {
    return new Model({ ...this.view, precision });
  }

  /** Runs the model once; see {@link RunOptions}. */
  run(input: ModelInput, options: RunOptions = {}): Promise<Run> {
    return runModel(this.view, input, options);
  }

  /** Tells where the tokens of expected answers rank after a prompt. TransformerLens's `test_prompt`, as a result. */
  testPrompt(
    prompt: string,
    answers: string | readonly string[],
    options: TestPromptOptions = {},
  ): Promise<PromptTest> {
    return testPrompt(this.view, prompt, answers, options);
  }

  /** Plans a run before any compute: bytes, FLOPs, segments, what each edit reaches. */
  explain(input: ModelInput, options: RunOptions = {}): Explanation {
    return explainRun(this.view, input, options);
  }

  /** Runs and keeps activations: every hook point, or those that `namesFilter` names. TransformerLens's name. */
  async runWithCache(
    input: ModelInput,
    namesFilter: HookSpecs = "*",
    options: RunOptions = {},
  ): Promise<{ logits: Run["logits"]; cache: ActivationCache }> {
    const run = await this.run(input, { ...options, capture: namesFilter });
    return { logits: run.logits, cache: run.cache };
  }

  /** Runs with functions of your own called at hook points, in the order given. TransformerLens's name. */
  async runWithHooks(
    input: ModelInput,
    fwdHooks: readonly HookFunction[],
    options: RunOptions = {},
  ): Promise<Run["logits"]> {
    const hooked = this.with(...fwdHooks.map(([hook, fn]) => edit.callback(hook, fn)));
    return (await hooked.run(input, options)).logits;
  }

  /** Generates text; edits act at every step unless they select steps or positions. */
  generate(input: ModelInput, options: GenerateOptions = {}): Promise<Generation> {
    return generate(this.view, input, options);
  }

  /** Generates token by token, for streaming. */
  generateStream(input: ModelInput, options: GenerateOptions = {}): AsyncIterable<GeneratedTokens> {
    return generateStream(this.view, input, options);
  }

  /**
   * Streams data through the model and reduces, or writes, the activations at hook points; only real tokens count.
   *
   * @param inputs - A dataset (one document per row), its batches, or any iterable of model inputs.
   */
  over<R extends ReduceOption>(inputs: OverInputs, options: ReduceOptions<R>): Promise<OverResult<R>>;
  /** Writes activations to shards on disk. */
  over(inputs: OverInputs, options: WriteOptions): Promise<ActivationShards>;
  /** Computes the loss alone. */
  over(inputs: OverInputs, options: OverOptions & { readonly loss: true }): Promise<OverSummary>;
  /** Streams data through the model. */
  over(inputs: OverInputs, options: OverOptions): Promise<unknown> {
    // The overloads above are those of `overModel`, which tells the kinds apart at run time.
    return overModel(this.view, inputs, options as ReduceOptions<ReduceOption>);
  }

  /** Token ids of an input, `[batch, pos]`. */
  toTokens(input: ModelInput, options: InputOptions = {}): Tensor<"int32", readonly ["batch", "pos"]> {
    return tokenTensor(prepareInput(this.view.core, input, options));
  }

  /** One string per token of one prompt, leading spaces visible. */
  toStrTokens(input: ModelInput, options: InputOptions = {}): readonly string[] {
    const { tokens = new Int32Array(0), batch } = prepareInput(this.view.core, input, options);
    if (batch === 1) return this.tokenizer.pieces(tokens);
    throw new InputError({
      where: "model.toStrTokens",
      got: `${batch} rows`,
      expected: "one prompt",
      fix: "Call it once per prompt.",
    });
  }

  /** The id of text that is exactly one token. */
  toSingleToken(text: string): number {
    return this.tokenizer.toSingleToken(text);
  }

  /** Text of token ids. */
  toString(ids?: ArrayLike<number>): string {
    if (ids === undefined) return inspectModel(this);
    return this.tokenizer.decode(ids);
  }

  /** Ends the engine; later use is an error. Views share it. */
  close(): Promise<void> {
    return this.view.core.engine.close();
  }

  /** Same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function tokenTensor({ tokens, batch, pos }: Batch): Tensor<"int32", readonly ["batch", "pos"]> {
  return Tensor.of(tokens ?? new Int32Array(0), tokens === undefined ? [batch, 0] : [batch, pos], [
    "batch",
    "pos",
  ] as const);
}

/** A few lines: name, sizes, edits. */
function inspectModel({ config, id, view }: Model): string {
  const { nLayers, nHeads, dModel, dHead, dMlp, dVocab, nCtx } = config;
  const lines = [
    `Model "${id}" (${config.architecture}): ${nLayers} layers, ${nHeads} heads of ${dHead}, dModel ${dModel}, dMlp ${dMlp}`,
    `  vocabulary ${dVocab}, context ${nCtx}, ${view.precision}`,
    ...view.edits.map(({ name }) => `  edit.${name}`),
  ];
  return lines.join("\n");
}
