/**
 * JumpReLU dictionaries: each feature has a threshold of its own, which is learned.
 *
 * Rajamanoharan et al. 2024, "Jumping Ahead: Improving Reconstruction Fidelity with JumpReLU Sparse Autoencoders". The
 * thresholds are learned directly (their logarithms would hardly move under Adam), through the pseudo-derivatives
 * `∂f/∂θ = −(θ/ε) rect((z − θ)/ε)` and `∂H/∂θ = −(1/ε) rect((z − θ)/ε)`, `rect(u) = 1[|u| < ½]`.
 */
import { type CustomGradient, customGradient } from "../../autodiff/index.js";
import { InputError } from "../../core/index.js";
import type { Value } from "../../graph/index.js";
import type { Architecture, AuxKOptions, BuildContext, BuiltLoss } from "./architecture.js";
import { firedDense, keepBooks } from "./bookkeeping.js";
import { agesBuffer, auxKSettings, auxKTerm } from "./dead.js";
import { finishPlain } from "./finish.js";
import { filled, initialWeights } from "./initial.js";
import { decode, decoderNorms, preActivations, reconstructionLoss } from "./parts.js";
import {
  type SparsityOptions,
  type SparsitySettings,
  type Steered,
  sparsityBuffers,
  sparsityScalars,
  sparsitySettings,
  sparsityShare,
  steer,
} from "./sparsity.js";

/**
 * How firing is punished: `"quadratic"` `(L0/targetL0 − 1)²` (dictionary_learning), linear above twice the target, so that
 * the first steps do not fill Adam's averages for thousands of steps; `"step"` L0 itself (the paper); `"tanh"`
 * `Σ tanh(c f_i ‖W_dec_i‖)` (Anthropic, January 2025).
 */
export type JumpReLUPenalty = "quadratic" | "step" | "tanh";

/** Options of the JumpReLU architecture. */
export interface JumpReLUConfig extends SparsityOptions {
  readonly name: "jumprelu";
  /** Default `"quadratic"` with a target, `"step"` with a coefficient alone. */
  readonly penalty?: JumpReLUPenalty;
  /** Width ε of the window in which thresholds learn. Default 0.2, for inputs of unit variance. */
  readonly bandwidth?: number;
  /** Default 0.1. */
  readonly initialThreshold?: number;
  /** The c of `"tanh"`. Default 4. */
  readonly tanhScale?: number;
  /** Revival of dead features. Default: coefficient 1/32, half of `dIn` features for each token. */
  readonly auxK?: AuxKOptions | false;
}

interface Settings {
  readonly sparsity: SparsitySettings;
  readonly penalty: JumpReLUPenalty;
  readonly bandwidth: number;
  readonly initialThreshold: number;
  readonly tanhScale: number;
  readonly auxK: AuxKOptions | false;
}

function settingsOf(config: JumpReLUConfig): Settings {
  const { auxK = {} } = config;
  const penalty = config.penalty ?? (config.targetL0 === undefined ? "step" : "quadratic");
  const sparsity = sparsityOf(config, penalty);
  const { bandwidth = 0.2, initialThreshold = 0.1, tanhScale = 4 } = config;
  for (const [name, value] of Object.entries({ bandwidth, tanhScale })) checkAbove0(name, value);
  return { sparsity, penalty, bandwidth, initialThreshold, tanhScale, auxK };
}

function sparsityOf(config: JumpReLUConfig, penalty: JumpReLUPenalty): SparsitySettings {
  const { targetL0, coefficient, sparsityWarmup } = config;
  const warmup = sparsityWarmup === undefined ? {} : { sparsityWarmup };
  const where = "jumprelu dictionary";
  if (penalty !== "quadratic") return sparsitySettings(where, { ...only({ targetL0, coefficient }), ...warmup });
  if (targetL0 === undefined) throw needsTarget();
  return { ...sparsitySettings(where, { targetL0, ...warmup }), coefficient: coefficient ?? 1 };
}

function only(options: { targetL0: number | undefined; coefficient: number | undefined }): SparsityOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** A jump: activations and how many there are, with rules that pass gradients to the thresholds. */
interface Jump {
  readonly acts: Value;
  /** Mean number of features that fire, a scalar that the thresholds can lower. */
  readonly l0: Value;
  readonly custom: readonly CustomGradient[];
}

/** `f = z 1[z > θ]` and the mean of `Σ 1[z > θ]`. */
function jump(context: BuildContext, pre: Value, bandwidth: number): Jump {
  const { ops, shape, parameter } = context;
  const threshold = parameter("threshold");
  const isOn = ops.greater(pre, threshold);
  const acts = ops.where(isOn, pre, 0);
  const count = ops.reduceSum(ops.cast(isOn, "float32"), undefined, false);
  const l0 = ops.mul(count, 1 / shape.batch);
  const near = (): Value => {
    const distance = ops.abs(ops.sub(pre, threshold));
    return ops.cast(ops.less(distance, bandwidth / 2), "float32");
  };
  const onActs = customGradient(acts, [pre, threshold], ({ gradient }) => {
    const sum = ops.reduceSum(ops.mul(gradient, near()), [0], false);
    return [ops.where(isOn, gradient, 0), ops.mul(ops.mul(sum, threshold), -1 / bandwidth)];
  });
  const onCount = customGradient(l0, [threshold], ({ gradient }) => {
    const sum = ops.reduceSum(near(), [0], false);
    return [ops.mul(ops.mul(sum, gradient), -1 / (bandwidth * shape.batch))];
  });
  return { acts, l0, custom: [onActs, onCount] };
}

/** The penalty with its weight; `steer` holds the state of a controller. */
function penaltyOf(context: BuildContext, { acts, l0 }: Jump, settings: Settings): Steered & { readonly loss: Value } {
  const { ops, parameter } = context;
  const { sparsity, penalty, tanhScale } = settings;
  if (penalty === "quadratic") {
    const distance = ops.sub(ops.mul(l0, 1 / (sparsity.targetL0 ?? 1)), 1);
    const weight = ops.mul(sparsityShare(context), sparsity.coefficient);
    const near = ops.clip(distance, -1, 1);
    // x² where |x| ≤ 1, 2x − 1 above: both are m (2x − m) with m = min(x, 1).
    const value = ops.mul(near, ops.sub(ops.mul(distance, 2), near));
    return { weight, loss: ops.mul(value, weight), metrics: {}, buffers: {} };
  }
  const steered = steer(context, l0, sparsity);
  if (penalty === "step") return { ...steered, loss: ops.mul(l0, steered.weight) };
  const strength = ops.mul(ops.mul(acts, decoderNorms(ops, parameter("W_dec"))), tanhScale);
  const count = ops.mul(ops.reduceSum(ops.tanh(strength), undefined, false), 1 / context.shape.batch);
  return { ...steered, loss: ops.mul(count, steered.weight) };
}

function build(context: BuildContext, settings: Settings): BuiltLoss {
  const { ops } = context;
  const jumped = jump(context, preActivations(context), settings.bandwidth);
  const reconstruction = decode(context, jumped.acts);
  const hasFired = firedDense(context, jumped.acts);
  const books = keepBooks(context, { l0: jumped.l0, hasFired, reconstruction });
  const penalty = penaltyOf(context, jumped, settings);
  const aux = auxKTerm(context, { reconstruction, ages: books.ages, settings: auxKSettings(settings.auxK) });
  return {
    loss: aux.add(ops.add(reconstructionLoss(context, reconstruction), penalty.loss)),
    reconstruction,
    ages: books.ages,
    metrics: { ...books.metrics, penalty: penalty.loss, ...penalty.metrics, ...aux.metrics },
    buffers: { ...books.buffers, ...penalty.buffers },
    custom: jumped.custom,
  };
}

/** Returns the JumpReLU architecture. */
export function jumprelu(config: JumpReLUConfig): Architecture {
  const settings = settingsOf(config);
  const isSteered = settings.penalty !== "quadratic";
  return {
    name: "jumprelu",
    settings: { ...settings },
    decoderNorm: () => "free",
    initial: (shape, data) => ({
      parameters: {
        ...initialWeights(shape, data, { decoderNorm: initialNorm }),
        threshold: filled(shape.nFeatures, settings.initialThreshold),
      },
      buffers: {
        [agesBuffer]: filled(shape.nFeatures, 0),
        ...(isSteered ? sparsityBuffers(settings.sparsity) : {}),
      },
    }),
    scalars: (shape) => sparsityScalars(shape, settings.sparsity),
    build: (context) => build(context, settings),
    finish: ({ parameters }) => finishPlain({ kind: "jumprelu" }, parameters),
  };
}

const initialNorm = 0.5;

function needsTarget(): InputError {
  return new InputError({
    where: "jumprelu dictionary: penalty",
    got: '"quadratic" without targetL0',
    expected: "a target to be near to",
    fix: 'Say targetL0, or choose penalty "step" or "tanh" with a coefficient.',
  });
}

function checkAbove0(name: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return;
  throw new InputError({
    where: `jumprelu dictionary: ${name}`,
    got: String(value),
    expected: "a number above 0",
    fix: "Leave it out for the default.",
  });
}
