/** Activations of one run by hook name. */
import { HookNotFoundError, nearestNames } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { type AxesOf, type BlockPoint, getActName, type HookRef, type OuterPoint } from "../hooks/index.js";

/** The element types that a run returns. */
type FloatType = "float32" | "float64";

/** Literal names of stream hook points, typed. */
type StreamName = `blocks.${number}.hook_${"resid_pre" | "resid_mid" | "resid_post" | "attn_out" | "mlp_out"}` | "hook_embed" | "hook_pos_embed";
type PatternName = `blocks.${number}.attn.hook_${"pattern" | "attn_scores"}`;
type HeadName = `blocks.${number}.attn.hook_${"q" | "k" | "v" | "z" | "rot_q" | "rot_k"}`;
type NeuronName = `blocks.${number}.mlp.hook_${"pre" | "post" | "pre_linear"}`;

/**
 * Activations of one run by hook name, as they were after all edits.
 *
 * Names may be full (`"blocks.5.attn.hook_pattern"`), short (`"pattern", 5`) or references (`at.pattern(5)`).
 */
export class ActivationCache {
  readonly #tensors: ReadonlyMap<string, Tensor>;

  constructor(tensors: ReadonlyMap<string, Tensor>) {
    this.#tensors = tensors;
  }

  /**
   * Returns the activation at one hook point.
   *
   * @throws HookNotFoundError when the run did not capture it; the message lists the nearest names that it did.
   */
  get(name: StreamName): Tensor<FloatType, readonly ["batch", "pos", "dModel"]>;
  get(name: PatternName): Tensor<FloatType, readonly ["batch", "head", "queryPos", "keyPos"]>;
  get(name: HeadName): Tensor<FloatType, readonly ["batch", "pos", "head", "dHead"]>;
  get(name: NeuronName): Tensor<FloatType, readonly ["batch", "pos", "dMlp"]>;
  get<P extends BlockPoint>(name: P, layer: number): Tensor<FloatType, AxesOf<P>>;
  get<P extends OuterPoint>(name: P): Tensor<FloatType, AxesOf<P>>;
  get<A extends readonly string[]>(ref: HookRef<A>): Tensor<FloatType, A>;
  get(name: string, layer?: number, layerType?: string): Tensor;
  get(name: string | HookRef, layer?: number, layerType?: string): Tensor {
    const full = typeof name === "string" ? this.#fullName(name, layer, layerType) : refName(name);
    const tensor = this.#tensors.get(full);
    if (tensor !== undefined) return tensor;
    const near = nearestNames(full, [...this.#tensors.keys()]);
    throw new HookNotFoundError({
      where: "cache.get",
      got: `"${full}", which this run did not capture`,
      expected: near.length === 0 ? "a captured hook point (nothing was captured)" : `a captured hook point; nearest: ${near.join(", ")}`,
      fix: `Add "${full}" to capture.`,
    });
  }

  #fullName(name: string, layer: number | undefined, layerType: string | undefined): string {
    if (layer === undefined && this.#tensors.has(name)) return name;
    return getActName(name, layer, layerType);
  }

  /** Whether a full name was captured. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Captured full names in the model's order. */
  keys(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  /** Captured names and activations in the model's order. */
  entries(): readonly (readonly [string, Tensor])[] {
    return [...this.#tensors.entries()];
  }

  /** Number of captured hook points. */
  get size(): number {
    return this.#tensors.size;
  }

  /** Bytes that the activations take. */
  get bytes(): number {
    return [...this.#tensors.values()].reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
  }
}

function refName(ref: HookRef): string {
  if (ref.layers === undefined) return ref.point;
  if (typeof ref.layers === "number") return `blocks.${ref.layers}.${ref.point}`;
  throw new HookNotFoundError({
    where: "cache.get",
    got: `a reference to ${ref.layers === "all" ? "all layers" : `layers ${ref.layers.join(", ")}`}`,
    expected: "a reference to one layer",
    fix: "Get one layer at a time, or use cache.stackActivation.",
  });
}
