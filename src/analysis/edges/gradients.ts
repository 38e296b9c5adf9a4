/** Gradients of the metric at hook points, at the prompt or averaged on the way to its changed embeddings. */
import { type LongCallOptions, throwIfAborted } from "../../core/index.js";
import type { FloatArray, Metric, Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { gaussLegendre } from "../gradients/quadrature.js";
import { siteShape } from "../patching/sites.js";
import { floatsOf, type PromptValues } from "../patching/values.js";

/** Prompts, padded on the right to one length, and the way along which gradients are averaged. */
export interface GradientSpec extends LongCallOptions {
  readonly metric: Metric;
  /** The metric's prompt of each. */
  readonly indices: readonly number[];
  readonly tokens: readonly (readonly number[])[];
  /** Hook points. */
  readonly wrt: readonly string[];
  /** The stream that enters layer 0 and what is added to it in full, `[prompt, pos, dModel]`. */
  readonly stream: PromptValues;
  readonly change: FloatArray;
  readonly points: readonly WayPoint[];
  /** Bytes that gradients may take at once. */
  readonly memoryLimit: number;
}

/** A point on the way, from 0 at the prompt to 1 at its changed embeddings, and its share of the mean. */
export interface WayPoint {
  readonly at: number;
  readonly weight: number;
}

/** Gauss–Legendre points: the mean over the way of anything smooth, with an error that falls fast with their number. */
export function wayPoints(count: number): readonly WayPoint[] {
  const { nodes, weights } = gaussLegendre(count);
  return nodes.map((at, i) => ({ at, weight: weights[i] ?? 0 }));
}

interface Job {
  readonly prompt: number;
  readonly point: WayPoint;
}

function streamsAt(model: Model, { stream, change }: GradientSpec, jobs: readonly Job[]): Tensor {
  const { dModel } = model.config;
  const size = stream.stride;
  const data =
    stream.data instanceof Float64Array ? new Float64Array(size * jobs.length) : new Float32Array(size * jobs.length);
  jobs.forEach(({ prompt, point }, row) => {
    for (let i = 0; i < size; i++)
      data[row * size + i] = (stream.data[prompt * size + i] ?? 0) + point.at * (change[prompt * size + i] ?? 0);
  });
  return Tensor.of(data, [jobs.length, size / dModel, dModel], ["batch", "pos", "dModel"]);
}

/** Which slots hold real tokens, where prompts differ in length. */
function maskOf(tokens: GradientSpec["tokens"], jobs: readonly Job[]): { attentionMask?: number[][] } {
  const pos = Math.max(...tokens.map(({ length }) => length));
  if (tokens.every(({ length }) => length === pos)) return {};
  const rows = jobs.map(({ prompt }) => tokens[prompt]?.length ?? 0);
  return { attentionMask: rows.map((length) => Array.from({ length: pos }, (_, slot) => (slot < length ? 1 : 0))) };
}

function bytesPerRow(model: Model, wrt: readonly string[], pos: number): number {
  const width = model.view.precision === "float64" ? 8 : 4;
  const sizes = wrt.map((hook) => siteShape(model, hook, pos).sizes.reduce((a, b) => a * b, 1));
  return width * sizes.reduce((a, b) => a + b, 0);
}

/** Mean gradients by hook name, `[prompt, …]`, in float64. */
export async function meanGradients(model: Model, spec: GradientSpec): Promise<ReadonlyMap<string, PromptValues>> {
  const { tokens, points, wrt, metric, indices, signal, memoryLimit } = spec;
  const pos = Math.max(1, ...tokens.map(({ length }) => length));
  const jobs = tokens.flatMap((_, prompt) => points.map((point) => ({ prompt, point })));
  const size = Math.max(1, Math.floor(memoryLimit / 4 / bytesPerRow(model, wrt, pos)));
  const sums = new Map<string, { data: Float64Array; stride: number }>();
  for (let start = 0; start < jobs.length; start += size) {
    throwIfAborted(signal, "edges");
    const rows = jobs.slice(start, start + size);
    const run = await model.run(
      { residual: streamsAt(model, spec, rows), ...maskOf(tokens, rows) },
      {
        ...(signal === undefined ? {} : { signal }),
        startAtLayer: 0,
        metricRows: rows.map(({ prompt }) => indices[prompt] ?? 0),
        gradients: { of: metric, wrt },
      },
    );
    for (const hook of wrt) addRows(sums, hook, floatsOf(run.gradients.get(hook)), { rows, prompts: tokens.length });
  }
  return sums;
}

function addRows(
  sums: Map<string, { data: Float64Array; stride: number }>,
  hook: string,
  found: FloatArray,
  { rows, prompts }: { readonly rows: readonly Job[]; readonly prompts: number },
): void {
  const stride = found.length / rows.length;
  const sum = sums.get(hook) ?? { data: new Float64Array(prompts * stride), stride };
  rows.forEach(({ prompt, point }, row) => {
    for (let i = 0; i < stride; i++)
      sum.data[prompt * stride + i] =
        (sum.data[prompt * stride + i] ?? 0) + point.weight * (found[row * stride + i] ?? 0);
  });
  sums.set(hook, sum);
}
