/** A dictionary inside a model: its features become hook points, its output replaces a value of the model. */
import { stopGradient } from "../autodiff/index.js";
import { ShapeError } from "../core/index.js";
import type { Ops, Value } from "../graph/index.js";
import { type Edit, edit, type ModuleSite } from "../model/index.js";
import type { DictionaryWeightName } from "./config.js";
import type { Dictionary } from "./dictionary.js";
import { activate, decodeGraph, encodeGraph, type ForwardContext, normalizeInput } from "./forward.js";

/** How a dictionary is put into a model. */
export interface SpliceOptions {
  /**
   * Adds the reconstruction error back, computed before any edit of features: the model then computes what it did, and
   * only edits of features change it. Default false: the model goes on with the reconstruction.
   */
  readonly errorTerm?: boolean;
}

/** Full names of the hook points of a spliced dictionary: SAELens's names under the hook point written to. */
export interface SpliceHooks {
  /** What the dictionary reads, `[batch, pos, dIn]`. */
  readonly input: string;
  /** Pre-activations, `[batch, pos, feature]`; absent where gated, whose features have two. */
  readonly actsPre: string;
  /** Activations of features, `[batch, pos, feature]`: edit these to ablate, clamp or steer. */
  readonly actsPost: string;
  /** The reconstruction, `[batch, pos, dOut]`. */
  readonly recons: string;
  /** What the reconstruction lacks, `[batch, pos, dOut]`; with `errorTerm` only. */
  readonly error: string;
  /** What the model goes on with, `[batch, pos, dOut]`. */
  readonly output: string;
}

const names = {
  input: "hook_sae_input",
  actsPre: "hook_sae_acts_pre",
  actsPost: "hook_sae_acts_post",
  recons: "hook_sae_recons",
  error: "hook_sae_error",
  output: "hook_sae_output",
} as const;

/** Returns the names of the hook points of a dictionary that writes to `hook`. */
export function spliceHooks(hook: string): SpliceHooks {
  const full = (name: string): string => `${hook}.${name}`;
  return {
    input: full(names.input),
    actsPre: full(names.actsPre),
    actsPost: full(names.actsPost),
    recons: full(names.recons),
    error: full(names.error),
    output: full(names.output),
  };
}

const featureAxes = ["batch", "pos", "feature"] as const;
const streamAxes = ["batch", "pos", "dModel"] as const;

/** Values of heads `[batch, pos, head, dHead]` as one vector for each position; others as they are. */
function asVectors(ops: Ops, x: Value): Value {
  if (x.shape.length !== 4) return x;
  const width = Number(x.shape[2]) * Number(x.shape[3]);
  return ops.reshape(x, [x.shape[0] ?? "batch", x.shape[1] ?? "pos", width], x);
}

function checkWidth(dictionary: Dictionary, hook: string, x: Value, expected: number): void {
  const width = x.shape.at(-1);
  if (width === expected) return;
  throw new ShapeError({
    where: `dictionary ${dictionary.name} at ${hook}`,
    got: `values of width ${String(width)}`,
    expected: `${expected}, the width that the dictionary was made for`,
    fix: "Use the model and the hook point that it was made for; see dictionary.config.",
  });
}

/** Names the values of a forward pass; returns each as edits leave it. */
type Point = ModuleSite["point"];

/** Activations of a normalised input, each intermediate value passed through `point`. */
function features(context: ForwardContext, x: Value, point: Point): Value {
  const { pre, acts } = encodeGraph(context, x);
  if (context.config.activation.kind === "gated") return point(names.actsPost, acts, featureAxes);
  const edited = point(names.actsPre, pre, featureAxes);
  return point(names.actsPost, edited === pre ? acts : activate(context, edited), featureAxes);
}

/** The reconstruction of what is read. */
function reconstruct(context: ForwardContext, read: Value, hasSkip: boolean, point: Point): Value {
  const { value, undo } = normalizeInput(context, point(names.input, read, streamAxes));
  const acts = features(context, value, point);
  return point(names.recons, undo(decodeGraph(context, acts, value, hasSkip)), streamAxes);
}

const unnamed: Point = (_, value) => value;

function build(dictionary: Dictionary, { errorTerm = false }: SpliceOptions, site: ModuleSite): Value {
  const { ops, hook, point } = site;
  const { config } = dictionary;
  const written = asVectors(ops, site.value);
  const read = config.readHook === hook ? written : asVectors(ops, site.read(config.readHook));
  checkWidth(dictionary, config.readHook, read, config.dIn);
  checkWidth(dictionary, hook, written, config.dOut);
  const weight = (name: DictionaryWeightName): Value => site.weight(name, dictionary.weight(name));
  const context: ForwardContext = { ops, config, weight };
  const hasSkip = dictionary.weights.has("W_skip");
  const recons = reconstruct(context, read, hasSkip, point);
  const output = errorTerm ? withError(site, recons, reconstruct(context, read, hasSkip, unnamed), written) : recons;
  return likeHook(ops, point(names.output, output, streamAxes), site.value);
}

/** A vector for each position in the shape of the hook point. */
function likeHook(ops: Ops, y: Value, value: Value): Value {
  return value.shape.length === y.shape.length ? y : ops.reshape(y, value.shape, value);
}

/** Adds `written − clean` back; no gradient flows through it. */
function withError(site: ModuleSite, recons: Value, clean: Value, written: Value): Value {
  const { ops } = site;
  const error = stopGradient(ops.builder, ops.sub(written, clean));
  return ops.add(recons, site.point(names.error, error, streamAxes));
}

/** Returns the edit that puts a dictionary into a model. */
export function splice(dictionary: Dictionary, options: SpliceOptions): Edit {
  const { readHook, writeHook } = dictionary.config;
  const reads = readHook === writeHook ? [] : [readHook];
  return edit.module(writeHook, { reads, build: (site) => build(dictionary, options, site) });
}
