/** Typed activations, norms and attention. */
import { GraphError } from "../../core/index.js";
import type { Value } from "../ir.js";
import { buildAttention } from "./attention.js";
import { type AttentionSteps, decomposeAttention } from "./attention-decomposed.js";
import type { AttentionInputs, AttentionOutputs } from "./attention-inputs.js";
import { erfFloat64 } from "./erf.js";
import { ReductionOps } from "./reduction.js";

/** Choices for {@link NetworkOps.rotary}. */
export interface RotaryOptions {
  /** int64 positions `[batch, pos]`; left out, `cos` and `sin` are `[batch, pos, rotaryDim/2]`. */
  readonly positions?: Value;
  /** Number of leading elements of each head that rotate; left out or 0, all. */
  readonly rotaryDim?: number;
  /** Pairs neighbours (GPT-J) instead of halves (NeoX, Llama). */
  readonly interleaved?: boolean;
}

/** Activations, norms and attention. Abstract: use `Ops`. */
export abstract class NetworkOps extends ReductionOps {
  /** Returns the error function; in float64 by rational approximation, absolute error at most 1e-15. */
  erf(x: Value): Value {
    return x.dtype === "float64" ? erfFloat64(this, x) : this.apply("Erf", x);
  }

  /**
   * Returns `x * Phi(x)` with the normal distribution function `Phi`, or its tanh approximation (GPT-2's `gelu_new`).
   *
   * @see Hendrycks and Gimpel 2016, "Gaussian Error Linear Units"
   */
  gelu(x: Value, options: { readonly approximate?: "none" | "tanh" } = {}): Value {
    const { approximate = "none" } = options;
    if (x.dtype !== "float64") return this.apply("Gelu", x, { approximate });
    const half = this.mul(x, 0.5);
    const inner = approximate === "none" ? this.erf(this.mul(x, Math.SQRT1_2)) : this.tanh(this.geluTanhInner(x));
    return this.mul(half, this.add(inner, 1));
  }

  /** Returns `x * sigmoid(x)`. */
  silu(x: Value): Value {
    return x.dtype === "float32" ? this.apply("QuickGelu", x, { alpha: 1 }) : this.mul(x, this.sigmoid(x));
  }

  /** Returns `log(1 + exp(x))` without overflow. */
  softplus(x: Value): Value {
    if (x.dtype !== "float64") return this.apply("Softplus", x);
    const small = this.log(this.add(this.exp(this.neg(this.abs(x))), 1));
    return this.add(this.relu(x), small);
  }

  /**
   * Returns `x` with mean 0 and variance 1 along the last axis, times `w`, plus `b`.
   *
   * @param w - Gain of the width of the last axis; left out, 1 (the width must then be a number).
   * @param b - Bias; left out, 0.
   */
  layerNorm(x: Value, w: Value | undefined, b: Value | undefined, eps: number): Value {
    if (x.dtype !== "float64") {
      return this.builder.op("LayerNormalization", [x, w ?? this.ones(x), b], { axis: -1, epsilon: eps });
    }
    const centered = this.sub(x, this.reduceMean(x, [-1]));
    const normalized = this.rmsOf(centered, eps);
    const scaled = w === undefined ? normalized : this.mul(normalized, w);
    return b === undefined ? scaled : this.add(scaled, b);
  }

  /**
   * Returns `x` divided by its root mean square along the last axis, times `w`.
   *
   * @see Zhang and Sennrich 2019, "Root Mean Square Layer Normalization"
   */
  rmsNorm(x: Value, w: Value | undefined, eps: number): Value {
    if (x.dtype !== "float64") {
      return this.builder.op("RMSNormalization", [x, w ?? this.ones(x)], { axis: -1, epsilon: eps });
    }
    const normalized = this.rmsOf(x, eps);
    return w === undefined ? normalized : this.mul(normalized, w);
  }

  /**
   * Returns attention `softmax(scale * q k^T + mask) v` and what else was asked for; see {@link AttentionInputs}.
   *
   * float32 uses the runtime's fused kernel, float64 elementary ops.
   *
   * @throws GraphError when sizes do not fit.
   */
  attention(inputs: AttentionInputs): AttentionOutputs {
    return buildAttention(this, inputs);
  }

  /** Returns every step of attention, in elementary ops: scores, soft cap, mask, pattern, output. */
  attentionSteps(inputs: AttentionInputs): AttentionSteps {
    return decomposeAttention(this, inputs);
  }

  /**
   * Returns `x` with pairs of each head rotated by their position (float32 only; decompose it in float64).
   *
   * @param x - `[batch, head, pos, dHead]`.
   * @param cos - `[maxPos, rotaryDim/2]` with `positions`, else `[batch, pos, rotaryDim/2]`.
   * @see Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding"
   */
  rotary(x: Value, cos: Value, sin: Value, options: RotaryOptions = {}): Value {
    const { positions, rotaryDim = 0, interleaved = false } = options;
    return this.builder.op("RotaryEmbedding", [x, cos, sin, positions], {
      interleaved: interleaved ? 1 : 0,
      ...(rotaryDim > 0 ? { rotary_embedding_dim: rotaryDim } : {}),
    });
  }

  /** `sqrt(2/pi) (x + 0.044715 x^3)`. */
  private geluTanhInner(x: Value): Value {
    const cube = this.mul(this.mul(x, x), x);
    return this.mul(this.add(x, this.mul(cube, 0.044715)), Math.sqrt(2 / Math.PI));
  }

  /** `x / sqrt(mean(x^2) + eps)`. */
  private rmsOf(x: Value, eps: number): Value {
    return this.div(x, this.sqrt(this.add(this.reduceMean(this.mul(x, x), [-1]), eps)));
  }

  private ones(x: Value): Value {
    const width = x.shape.at(-1);
    if (typeof width === "number") return this.builder.constant(Array<number>(width).fill(1), x.dtype);
    throw new GraphError({
      where: "norm without a gain",
      got: `a last axis of size "${width ?? "none"}"`,
      expected: "a number",
      fix: "Pass a gain.",
    });
  }
}
