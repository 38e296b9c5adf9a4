/** Gathers activations of all layers and positions in one pass over the texts. */
import { HookNotFoundError, type LongCallOptions, UnsupportedError } from "../../core/index.js";
import type { OverProvenance, Reducer, TokenRow } from "../../model/index.js";
import { getActName, type Model, reduce } from "../../model/index.js";

/** A hook point that is read. */
export interface FeaturePoint {
  readonly hook: string;
  readonly layer: number;
  /** Axes and sizes of one token's value. */
  readonly axes: readonly string[];
  readonly shape: readonly number[];
  readonly dim: number;
}

function refuse(hook: string, axes: readonly string[]): UnsupportedError {
  return new UnsupportedError({
    where: `probe: ${hook}`,
    got: `axes [${axes.join(", ")}]`,
    expected: "one vector for each token: axes that begin with batch, pos",
    fix: "Probe resid_pre, resid_mid, resid_post, attn_out, mlp_out, z, q, k, v, pre or post.",
  });
}

function layerOf(hook: string): number {
  return Number(/^blocks\.(\d+)\./.exec(hook)?.[1] ?? -1);
}

/**
 * Returns one hook point by its full name.
 *
 * @throws HookNotFoundError where the model lacks it; UnsupportedError for one without a vector for each token.
 */
export function featurePoint(model: Model, hook: string, where: string): FeaturePoint {
  const found = model.hookPoints().get(hook);
  if (found === undefined)
    throw new HookNotFoundError({
      where,
      got: `"${hook}", which this model lacks`,
      expected: "a model with the hook points of the one that was probed",
      fix: "Use the same model, or list names with model.hookNames().",
    });
  const { axes, shape } = found;
  const sizes = shape.slice(2).map(Number);
  if (axes[0] !== "batch" || axes[1] !== "pos" || sizes.some(Number.isNaN)) throw refuse(hook, axes);
  return { hook, layer: layerOf(hook), axes: axes.slice(2), shape: sizes, dim: sizes.reduce((a, b) => a * b, 1) };
}

/**
 * Returns the hook points of a site.
 *
 * @throws HookNotFoundError for a site or a layer that the model lacks; UnsupportedError for one without a vector for each
 *   token.
 */
export function featurePoints(
  model: Model,
  site: string,
  layers: "all" | readonly number[],
  where: string,
): readonly FeaturePoint[] {
  const points = model.hookPoints();
  const all = [...points.keys()].filter((name) => name === getActName(site, layerOf(name)));
  const wanted = layers === "all" ? all : layers.map((layer) => getActName(site, layer));
  const missing = wanted.find((name) => !points.has(name));
  if (missing !== undefined || wanted.length === 0)
    throw new HookNotFoundError({
      where: `${where}: ${missing === undefined ? "site" : "layers"}`,
      got: `"${missing ?? site}"`,
      expected: all.length === 0 ? "a hook point inside blocks" : `one of ${all.join(", ")}`,
      fix: "List them with model.hookNames().",
    });
  return wanted.map((hook) => featurePoint(model, hook, where));
}

/** What is gathered. */
export interface GatherRequest extends LongCallOptions {
  readonly ids: readonly Int32Array[];
  readonly points: readonly FeaturePoint[];
  /** For each position asked for, the token of each example; −1 is the mean over all. */
  readonly positions: readonly Int32Array[];
  readonly batchTokens?: number;
}

/** Features `[example, feature]` by hook point and position, float32. */
export interface Gathered {
  readonly features: readonly (readonly Float32Array[])[];
  readonly provenance: OverProvenance;
}

const defaultBatchTokens = 4096;

/** Different texts, shortest first, and the examples that each stands for. */
interface Rows {
  readonly rows: readonly TokenRow[];
  readonly members: readonly (readonly number[])[];
}

function differentRows(ids: readonly Int32Array[]): Rows {
  const known = new Map<string, { row: TokenRow; members: number[] }>();
  ids.forEach((row, i) => {
    const entry = known.get(row.join(" ")) ?? { row, members: [] };
    known.set(row.join(" "), entry);
    entry.members.push(i);
  });
  const sorted = [...known.values()].sort((a, b) => a.row.length - b.row.length);
  return { rows: sorted.map(({ row }) => row), members: sorted.map(({ members }) => members) };
}

function* batches(rows: readonly TokenRow[], batchTokens: number): Generator<readonly TokenRow[]> {
  let batch: TokenRow[] = [];
  for (const row of rows) {
    if (batch.length > 0 && (batch.length + 1) * row.length > batchTokens) {
      yield batch;
      batch = [];
    }
    batch.push(row);
  }
  if (batch.length > 0) yield batch;
}

type Floats = Float32Array | Float64Array;

function meanRow(data: Floats, from: number, count: number, out: Float32Array): void {
  const dim = out.length;
  const sums = new Float64Array(dim);
  for (let t = 0; t < count; t++)
    for (let j = 0; j < dim; j++) sums[j] = (sums[j] as number) + (data[from + t * dim + j] as number);
  for (let j = 0; j < dim; j++) out[j] = (sums[j] as number) / count;
}

/** A reducer that keeps the vectors at the positions asked for. */
function keeper({ ids, positions }: GatherRequest, members: Rows["members"]): Reducer<readonly Float32Array[], "kept"> {
  return reduce.custom<Float32Array[], readonly Float32Array[], "kept">({
    name: "kept",
    init: ({ dim }) => positions.map(() => new Float32Array(ids.length * dim)),
    bytes: ({ dim }) => positions.length * ids.length * dim * 4,
    update: (state, activation, { firstRow }, { dim }) => {
      const data = activation.contiguous().data as Floats;
      const [batch = 0, width = 0] = activation.shape;
      for (let row = 0; row < batch; row++)
        for (const example of members[firstRow + row] ?? [])
          positions.forEach((own, p) => {
            const out = state[p]?.subarray(example * dim, (example + 1) * dim) ?? new Float32Array(0);
            const at = own[example] ?? -1;
            const start = row * width * dim;
            if (at < 0) meanRow(data, start, ids[example]?.length ?? 0, out);
            else out.set(data.subarray(start + at * dim, start + (at + 1) * dim));
          });
      return state;
    },
    finish: (state) => state,
  });
}

/** Runs the texts once and keeps what is asked for; equal texts run once. */
export async function gatherFeatures(model: Model, request: GatherRequest): Promise<Gathered> {
  const { rows, members } = differentRows(request.ids);
  const { points, batchTokens = defaultBatchTokens, signal, onProgress } = request;
  const result = await model.over(batches(rows, batchTokens), {
    capture: points.map(({ hook }) => hook),
    reduce: keeper(request, members),
    padding: "right",
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { features: points.map(({ hook }) => result.kept.get(hook)), provenance: result.provenance };
}
