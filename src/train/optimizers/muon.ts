/** Muon. */
import { InputError } from "../../core/index.js";
import type { Ops, Value } from "../../graph/index.js";
import { matchNames } from "../glob.js";
import { type AdamWOptions, adamW } from "./adamw.js";
import { checkNumbers, fraction, nonNegative } from "./checks.js";
import type { Optimizer, UpdateContext, Updated } from "./optimizer.js";

/** Options of {@link muon}. */
export interface MuonOptions {
  /**
   * Matrices `[in, out]` that Muon updates: names, or globs as in parameter groups. Axes before the last two count as
   * many matrices. Everything else is updated by AdamW, which suits embeddings, gains and biases.
   */
  readonly matrices: string | readonly string[];
  /** Matrices that are several side by side, such as GPT-2's fused query, key and value: a glob and how many. */
  readonly sideBySide?: Readonly<Record<string, number>>;
  /** Length of a step in the spectral norm. Default 0.02. */
  readonly learningRate?: number;
  /** Default 0.95, with Nesterov's look ahead. */
  readonly momentum?: number;
  /** Share of each parameter lost per step is `learningRate * weightDecay`, AdamW's own parameters included. Default 0.01. */
  readonly weightDecay?: number;
  /** Of everything that is not one of `matrices`; its decay is `weightDecay` above. */
  readonly adamW?: Omit<AdamWOptions, "weightDecay">;
}

/** Coefficients of the quintic iteration, which takes singular values from (0, 1] to about 0.7 to 1.2. */
const [a, b, c] = [3.4445, -4.775, 2.0315];
const iterations = 5;

/** Returns matrices `[n, rows, columns]` with their singular values brought near 1. */
function orthogonalize(ops: Ops, x: Value): Value {
  const [, rows = 0, columns = 0] = x.shape;
  const isWide = Number(rows) <= Number(columns);
  const wide = isWide ? x : ops.swapLast(x);
  const norm = ops.sqrt(ops.reduceSum(ops.mul(wide, wide), [1, 2]));
  let u = ops.div(wide, ops.add(norm, 1e-7));
  for (let i = 0; i < iterations; i++) {
    const gram = ops.matmul(u, ops.swapLast(u));
    const polynomial = ops.add(ops.mul(gram, b), ops.mul(ops.matmul(gram, gram), c));
    u = ops.add(ops.mul(u, a), ops.matmul(polynomial, u));
  }
  return isWide ? u : ops.swapLast(u);
}

interface MatrixSizes {
  readonly rows: number;
  readonly columns: number;
  /** Matrices side by side. */
  readonly parts: number;
}

function matrixSizes({ name, parameter }: UpdateContext, sideBySide: Readonly<Record<string, number>>): MatrixSizes {
  const sizes = parameter.shape.map(Number);
  const [rows = 0, width = 0] = sizes.slice(-2);
  const parts = Object.entries(sideBySide).find(([glob]) => matchNames(glob, [name]).length > 0)?.[1] ?? 1;
  if (sizes.length >= 2 && Number.isSafeInteger(parts) && parts >= 1 && width % parts === 0)
    return { rows, columns: width / parts, parts };
  throw new InputError({
    where: `muon: ${name}`,
    got: `shape [${sizes.join(", ")}] as ${parts} matrices side by side`,
    expected: "at least two axes, the last one divisible by the number of matrices",
    fix: "Name matrices only in `matrices`, and check `sideBySide`.",
  });
}

/** Cuts `[..., rows, parts * columns]` into `[n, rows, columns]`, applies `fn`, and puts the pieces back. */
function onPieces(ops: Ops, x: Value, { rows, columns, parts }: MatrixSizes, fn: (x: Value) => Value): Value {
  const pieces = ops.transpose(ops.reshape(x, [-1, rows, parts, columns]), [0, 2, 1, 3]);
  const done = ops.reshape(fn(ops.reshape(pieces, [-1, rows, columns])), [-1, parts, rows, columns]);
  return ops.reshape(ops.transpose(done, [0, 2, 1, 3]), x.shape);
}

function matrixStep(context: UpdateContext, sizes: MatrixSizes, momentum: number): Updated {
  const { ops, parameter, gradient, decays } = context;
  const mean = ops.add(ops.mul(context.state("mean"), momentum), gradient);
  const ahead = ops.add(gradient, ops.mul(mean, momentum));
  const direction = onPieces(ops, ahead, sizes, (x) => orthogonalize(ops, x));
  const start = decays ? ops.mul(parameter, context.scalar("keep")) : parameter;
  const aspect = Math.sqrt(Math.max(1, sizes.columns / sizes.rows));
  const step = ops.mul(direction, ops.mul(context.scalar("rate"), aspect));
  return { parameter: ops.sub(start, step), state: { mean } };
}

/**
 * Returns Muon for the matrices inside a network, and AdamW for everything else.
 *
 * For a matrix `W [in, out]` with gradient `g`: `m <- momentum m + g`; `u = g + momentum m`; `u <- U V^T` where
 * `u = U S V^T`, approximately, by five Newton-Schulz steps; `W <- (1 - lr decay) W - lr sqrt(max(1, out / in)) u`.
 * In small language models it needs about half as many steps as AdamW.
 *
 * @throws InputError when an option is out of range, or a name in `matrices` is not a matrix.
 * @see Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"
 */
export function muon(options: MuonOptions): Optimizer {
  const { matrices, sideBySide = {}, learningRate = 0.02, momentum = 0.95, weightDecay = 0.01 } = options;
  checkNumbers("muon", {
    learningRate: [learningRate, { least: Number.MIN_VALUE }],
    momentum: [momentum, fraction],
    weightDecay: [weightDecay, nonNegative],
  });
  const other = adamW({ ...options.adamW, weightDecay });
  const ratio = other.learningRate / learningRate;
  const globs = typeof matrices === "string" ? [matrices] : matrices;
  const isMatrix = (name: string): boolean => globs.some((glob) => matchNames(glob, [name]).length > 0);
  return {
    name: "muon",
    learningRate,
    weightDecay,
    settings: { momentum, matrices: globs.join(" "), ...sideBySide, ...adamSettings(other) },
    state: other.state,
    scalars: (at) => ({
      rate: at.learningRate,
      keep: 1 - at.learningRate * at.weightDecay,
      ...prefixed(other.scalars({ ...at, learningRate: at.learningRate * ratio })),
    }),
    update: (context) =>
      isMatrix(context.name)
        ? matrixStep(context, matrixSizes(context, sideBySide), momentum)
        : other.update({ ...context, scalar: (name) => context.scalar(`adamW.${name}`) }),
  };
}

function prefixed<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [`adamW.${name}`, value]));
}

function adamSettings(other: Optimizer): Readonly<Record<string, number | boolean | string>> {
  return prefixed({ learningRate: other.learningRate, ...other.settings });
}
