/** Weights written entry by entry under TransformerLens names; everything that is not written is zero. */
import { Tensor } from "../../src/tensor/index.js";

/** A transformer whose circuit is known, ready to be written as a checkpoint folder. */
export interface Construction {
  readonly name: string;
  /** `config.json`, in `HookedTransformerConfig` words. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: ReadonlyMap<string, Tensor>;
  /** `circuit.json`: what each component does, and which reads which. */
  readonly circuit: Circuit;
}

/** What a component is for: part of the circuit, a decoy that nothing reads, or exactly zero. */
export type ComponentKind = "circuit" | "decoy" | "zero";

/** One component: `embed`, `pos_embed`, a head such as `a0.h1`, an MLP such as `m0`. */
export interface Component {
  readonly name: string;
  readonly kind: ComponentKind;
  readonly does: string;
}

/** One component's output read by another's input: `q`, `k`, `v` of a head, `in` of an MLP, `logits`. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly input: "q" | "k" | "v" | "in" | "logits";
}

/** The true circuit: every edge on a path from the input to the logits. */
export interface Circuit {
  readonly components: readonly Component[];
  readonly edges: readonly Edge[];
}

/** Sizes that the names and shapes of a TransformerLens checkpoint follow from. */
export interface Sizes {
  readonly layers: number;
  readonly heads: number;
  readonly model: number;
  readonly head: number;
  /** 0 for a model of attention alone. */
  readonly mlp: number;
  readonly vocabulary: number;
  /** 0 for a model without positions. */
  readonly context: number;
}

/** Where a subspace of the residual stream begins, by name; directions in it are one-hot. */
export type Layout = Readonly<Record<string, number>>;

/** Lays subspaces side by side and returns where each begins, and their whole size as `size`. */
export function layOut(sizes: Readonly<Record<string, number>>): { readonly from: Layout; readonly size: number } {
  const from: Record<string, number> = {};
  let size = 0;
  for (const [name, width] of Object.entries(sizes)) {
    from[name] = size;
    size += width;
  }
  return { from, size };
}

/** Every weight of a model, all zeros. */
export class Sketch {
  readonly #weights: Map<string, Tensor> = new Map();

  constructor({ layers, heads, model, head, mlp, vocabulary, context }: Sizes) {
    this.#add("embed.W_E", [vocabulary, model]);
    if (context > 0) this.#add("pos_embed.W_pos", [context, model]);
    for (let layer = 0; layer < layers; layer++) {
      const attn = `blocks.${layer}.attn`;
      for (const letter of ["Q", "K", "V"]) {
        this.#add(`${attn}.W_${letter}`, [heads, model, head]);
        this.#add(`${attn}.b_${letter}`, [heads, head]);
      }
      this.#add(`${attn}.W_O`, [heads, head, model]);
      this.#add(`${attn}.b_O`, [model]);
      if (mlp > 0) this.#addMlp(`blocks.${layer}.mlp`, model, mlp);
    }
    this.#add("unembed.W_U", [model, vocabulary]);
    this.#add("unembed.b_U", [vocabulary]);
  }

  /** Writes one entry. */
  set(name: string, index: readonly number[], value: number): void {
    const tensor = this.#weights.get(name);
    if (tensor === undefined) throw new Error(`no weight ${name}`);
    const isInside = index.length === tensor.shape.length && index.every((at, i) => at < (tensor.shape[i] ?? 0));
    if (!isInside) throw new Error(`${name}: [${index.join(", ")}] is outside [${tensor.shape.join(", ")}]`);
    const place = index.reduce((sum, at, i) => sum * (tensor.shape[i] ?? 1) + at, 0);
    tensor.data[place] = value;
  }

  /** Writes `value` for `count` one-hot directions: entry `[...front, from + i, to + i]` for each i. */
  identity(
    name: string,
    front: readonly number[],
    [from, to, count]: readonly [number, number, number],
    value = 1,
  ): void {
    for (let i = 0; i < count; i++) this.set(name, [...front, from + i, to + i], value);
  }

  /** Returns the weights by name. */
  weights(): ReadonlyMap<string, Tensor> {
    return this.#weights;
  }

  #addMlp(prefix: string, model: number, mlp: number): void {
    this.#add(`${prefix}.W_in`, [model, mlp]);
    this.#add(`${prefix}.b_in`, [mlp]);
    this.#add(`${prefix}.W_out`, [mlp, model]);
    this.#add(`${prefix}.b_out`, [model]);
  }

  #add(name: string, shape: readonly number[]): void {
    const size = shape.reduce((a, b) => a * b, 1);
    this.#weights.set(name, Tensor.of(new Float32Array(size), shape));
  }
}

/** Returns `config.json` for sizes, and what else differs from TransformerLens's defaults. */
export function configOf(sizes: Sizes, more: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return {
    n_layers: sizes.layers,
    d_model: sizes.model,
    n_ctx: sizes.context > 0 ? sizes.context : 64,
    d_head: sizes.head,
    n_heads: sizes.heads,
    d_vocab: sizes.vocabulary,
    ...(sizes.mlp > 0 ? { d_mlp: sizes.mlp, act_fn: "relu" } : { attn_only: true }),
    normalization_type: null,
    positional_embedding_type: sizes.context > 0 ? "standard" : "none",
    // Scores are used as they are, so that the numbers in README.md are the weights.
    use_attn_scale: false,
    ...more,
  };
}
