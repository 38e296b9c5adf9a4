/**
 * Integrated gradients: what each element contributes to a change of a metric along a straight path.
 *
 * 1. `x(α) = from + α (into − from)` at one hook point, by default the token embeddings.
 * 2. The gradient of the metric there, at places `α` of a Gauss–Legendre rule; places ride on the batch axis.
 * 3. `attribution = (into − from) · Σ weight · gradient`, which sums to the change of the metric.
 *
 * Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks".
 */
import { InputError, type LongCallOptions, progressOf, ShapeError, throwIfAborted } from "../../core/index.js";
import {
  edit,
  type HookSpec,
  type Metric,
  type Model,
  type ModelInput,
  type Run,
  resolveHooks,
} from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { gaussLegendre } from "./quadrature.js";
import { IntegratedGradients } from "./result.js";

/** Options of {@link integratedGradients}. */
export interface IntegratedGradientsOptions extends LongCallOptions {
  /** Where the path begins: prompts aligned with `into`, token by token; zeros at the hook point when absent. */
  readonly from?: ModelInput;
  /** The prompts that are explained: where the path ends. */
  readonly into: ModelInput;
  readonly metric: Metric;
  /** Where the path runs: one hook point. Default `hook_embed`, the token embeddings. */
  readonly at?: HookSpec;
  /** Places on the path; default 16. */
  readonly steps?: number;
  /** Most rows (prompts × places) in one run; default 32. */
  readonly batch?: number;
}

/** The two ends of the path. */
interface Ends {
  readonly hook: string;
  readonly run: Run;
  readonly from: Tensor;
  readonly into: Tensor;
}

function positive(what: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new InputError({
    where: `integratedGradients: ${what}`,
    got: String(value),
    expected: "a positive integer",
    fix: "More steps give a smaller completeness error.",
  });
}

function oneHook(model: Model, at: HookSpec): string {
  const [hook = "", ...rest] = resolveHooks(at, model.hookNames(), "integratedGradients: at");
  if (rest.length === 0) return hook;
  throw new InputError({
    where: "integratedGradients: at",
    got: `${rest.length + 1} hook points (${hook}, ${rest[0] ?? ""}, …)`,
    expected: "one",
    fix: "Name the layer.",
  });
}

function isAligned(a: Run, b: Run): boolean {
  const masks = [a, b].map(({ attentionMask }) => attentionMask?.data.join() ?? "");
  return a.tokens.shape.join() === b.tokens.shape.join() && masks[0] === masks[1];
}

async function endsOf(model: Model, options: IntegratedGradientsOptions): Promise<Ends> {
  const hook = oneHook(model, options.at ?? "hook_embed");
  const ask = { capture: hook, logits: "none" } as const;
  const run = await model.run(options.into, ask);
  if (run.tokens.size === 0) {
    throw new InputError({
      where: "integratedGradients: into",
      got: "embeddings or a residual stream",
      expected: "text or token ids",
      fix: "Pass the prompts themselves.",
    });
  }
  const into: Tensor = run.cache.get(hook);
  if (options.from === undefined) return { hook, run, into, from: into.mul(0) };
  const other = await model.run(options.from, ask);
  if (isAligned(run, other)) return { hook, run, into, from: other.cache.get(hook) };
  throw new ShapeError({
    where: "integratedGradients: from",
    got: `prompts of shape [${other.tokens.shape.join(", ")}]`,
    expected: `[${run.tokens.shape.join(", ")}], with the same padding as \`into\``,
    fix: "Align the two token by token: the pairs of tasks are.",
  });
}

/** One row of a batch: a prompt at one place of the path. */
interface Place {
  readonly prompt: number;
  /** 0 at `from`, 1 at `into`. */
  readonly alpha: number;
}

/** What the path asks of the model: the metric at some places, and its gradient where it is wanted. */
async function evaluate(
  model: Model,
  { hook, run, from, into }: Ends,
  places: readonly Place[],
  {
    metric: of,
    gradient,
    signal,
  }: { readonly metric: Metric; readonly gradient: boolean; readonly signal?: AbortSignal | undefined },
): Promise<Run> {
  const rows = places.map(({ prompt }) => prompt);
  const alpha = Tensor.of(
    Float64Array.from(places, (place) => place.alpha),
    [places.length],
    ["batch"],
  );
  const [start, change] = [from.at({ batch: rows }), into.sub(from).at({ batch: rows })];
  const value = start.add(change.mul(alpha)) as Tensor;
  const input = {
    tokens: run.tokens.at({ batch: rows }) as Tensor,
    ...(run.attentionMask === undefined ? {} : { attentionMask: run.attentionMask.at({ batch: rows }) as Tensor }),
  };
  return model.with(edit.replace(hook, value)).run(input, {
    metric: of,
    metricRows: rows,
    ...(gradient ? { gradients: { of, wrt: hook } } : {}),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** A place that is evaluated, and how much it counts. */
interface WeightedPlace extends Place {
  readonly weight: number;
}

function pathPlaces(prompts: number, steps: number): readonly WeightedPlace[] {
  const { nodes, weights } = gaussLegendre(steps);
  return Array.from({ length: prompts }, (_, prompt) =>
    nodes.map((alpha, i) => ({ prompt, alpha, weight: weights[i] ?? 0 })),
  ).flat();
}

/** Adds `weight · gradient` of each row to the sum of its prompt. */
function accumulate(sum: Float64Array, gradient: Tensor, places: readonly WeightedPlace[]): void {
  const size = gradient.size / places.length;
  const { data } = gradient;
  places.forEach(({ prompt, weight }, row) => {
    for (let i = 0; i < size; i++) {
      const at = prompt * size + i;
      sum[at] = (sum[at] ?? 0) + weight * Number(data[row * size + i]);
    }
  });
}

/** The metric of each prompt at one end of the path. */
async function metricAt(
  model: Model,
  ends: Ends,
  alpha: number,
  options: IntegratedGradientsOptions,
): Promise<Float64Array> {
  const places = Array.from({ length: ends.run.tokens.shape[0] }, (_, prompt) => ({ prompt, alpha }));
  const { metric, signal } = options;
  const { metric: values } = await evaluate(model, ends, places, { metric, gradient: false, signal });
  return Float64Array.from(values.data as Float32Array);
}

/**
 * Returns what each element at a hook point contributes to the change of a metric on the straight path between two runs.
 *
 * The contributions of a prompt sum to `metric(into) − metric(from)` up to the completeness error, which falls with the
 * number of steps. At a point that the rest of the model can bypass, such as one head's output, `from` stands for the run
 * of `into` with that point taken from `from`.
 *
 * @throws ShapeError when the prompts do not align; InputError for several hook points, no tokens and bad numbers;
 *   UnsupportedError where the metric does not depend on the point; AbortedError.
 * @see Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks"
 */
export async function integratedGradients(
  model: Model,
  options: IntegratedGradientsOptions,
): Promise<IntegratedGradients> {
  const steps = positive("steps", options.steps ?? 16);
  const size = positive("batch", options.batch ?? 32);
  const { metric, signal } = options;
  const ends = await endsOf(model, options);
  const places = pathPlaces(ends.run.tokens.shape[0], steps);
  const sum = new Float64Array(ends.into.size);
  const onProgress = progressOf(options);
  for (let start = 0; start < places.length; start += size) {
    throwIfAborted(signal, "integratedGradients");
    const part = places.slice(start, start + size);
    const { gradients } = await evaluate(model, ends, part, { metric, gradient: true, signal });
    accumulate(sum, gradients.get(ends.hook), part);
    onProgress?.({ done: start + part.length, total: places.length, label: "integrated gradients" });
  }
  const { shape, axes } = ends.into;
  const mean = Tensor.of(sum, shape, axes);
  const [from, into] = [await metricAt(model, ends, 0, options), await metricAt(model, ends, 1, options)];
  return new IntegratedGradients({
    model,
    metric,
    hook: ends.hook,
    steps,
    run: ends.run,
    attributions: ends.into.sub(ends.from).mul(mean),
    ends: { from, into },
  });
}
