/** Linear probes on activations. */
import { InputError, ShapeError, sha256 } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { Engine } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import { positionsOf, type ReadExamples, readExamples, readTargets, typesOf, unitsOf } from "./examples.js";
import { type FeaturePoint, featurePoints, gatherFeatures } from "./features.js";
import { longOptions, textKey } from "./predict.js";
import { ProbeResult } from "./result.js";
import { type PlacedBlock, planFit, runFit } from "./run-fit.js";
import { loadProbe } from "./store.js";
import type { FeatureProbeOptions, ProbeExamples, ProbeOptions, ProbePosition } from "./types.js";

/** Probes. */
export interface Probe {
  /**
   * Fits linear probes at every layer and position and returns how well each tells the labels apart on held-out folds.
   *
   * All texts run once. Features are standardised by training examples only; solvers run in float64 to convergence. A label
   * that is a text is a class; numbers are predicted. The directions come from a last fit on all examples.
   *
   * @param examples - At least one for each fold; two classes or more.
   * @throws InputError for one class, fewer examples than folds, labels of different types, empty texts, a text in two
   *   groups, and options out of range; NumericError for NaN and infinity; HookNotFoundError, UnsupportedError for sites;
   *   AbortedError.
   * @see Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes"
   * @see Hewitt and Liang 2019, "Designing and Interpreting Probes with Control Tasks"
   */
  fit(model: Model, examples: ProbeExamples, options?: ProbeOptions): Promise<ProbeResult>;
  /**
   * Fits the same probes to features of your own, such as a dictionary's codes.
   *
   * @param features - `[row, feature]`; a list counts as layers.
   * @param labels - One for each row.
   */
  fitFeatures(
    features: Tensor | readonly Tensor[],
    labels: readonly (string | number)[],
    options?: FeatureProbeOptions,
  ): Promise<ProbeResult>;
  /**
   * Reads the folder that `result.save` wrote.
   *
   * @throws FormatError when it holds something else.
   */
  load(folder: string): Promise<ProbeResult>;
}

function positionList(pos: ProbeOptions["pos"], where: string): readonly ProbePosition[] {
  const list = typeof pos === "object" ? pos : [pos ?? "last"];
  if (list.length > 0) return list;
  throw new InputError({
    where: `${where}: pos`,
    got: "no positions",
    expected: "at least one",
    fix: "Leave it out for the last token.",
  });
}

interface Placing {
  readonly read: ReadExamples;
  readonly points: readonly FeaturePoint[];
  readonly names: readonly ProbePosition[];
  readonly positions: readonly Int32Array[];
}

function placed(
  features: readonly (readonly Float32Array[])[],
  { read, points, names, positions }: Placing,
): PlacedBlock[] {
  const types = positions.map((own) => typesOf(read, own));
  return points.flatMap(({ hook, layer, axes, shape, dim }, i) =>
    names.map((pos, p): PlacedBlock => {
      const data = features[i]?.[p] ?? new Float32Array(0);
      return {
        name: `${hook} at ${pos}`,
        data,
        dim,
        layer,
        pos: String(pos),
        hook,
        axes,
        shape,
        types: types[p] ?? [],
      };
    }),
  );
}

async function fit(model: Model, examples: ProbeExamples, options: ProbeOptions = {}): Promise<ProbeResult> {
  const where = "probe.fit";
  const { site = "resid_post", layers = "all", batchTokens, allowSpecial, prependBos } = options;
  const points = featurePoints(model, site, layers, where);
  const names = positionList(options.pos, where);
  const reading = {
    ...(allowSpecial === undefined ? {} : { allowSpecial }),
    ...(prependBos === undefined ? {} : { prependBos }),
  };
  const read = await readExamples(model, examples, reading, where);
  const targets = readTargets(
    read.examples.map(({ label }) => label),
    options.labels,
    where,
  );
  const keys = read.ids.map(textKey);
  const groups = read.examples.map(({ group }) => group);
  const units = unitsOf(groups, keys, options.split, where);
  const plan = planFit(targets, units, options, where);
  const positions = names.map((pos) => positionsOf(read, pos, where));
  const gathered = await gatherFeatures(model, {
    ids: read.ids,
    points,
    positions,
    ...longOptions(options),
    ...(batchTokens === undefined ? {} : { batchTokens }),
  });
  const { model: name, identity, edits, dataHash } = gathered.provenance;
  return runFit(
    {
      blocks: placed(gathered.features, { read, points, names, positions }),
      plan,
      targets,
      units,
      origin: { model: name, identity, edits, dataHash, reading },
      seen: { groups: [...new Set(groups.flatMap((group) => group ?? []))], texts: [...new Set(keys)] },
      engine: model.view.core.engine,
      where,
    },
    options,
  );
}

function featureBlock(tensor: Tensor, layer: number, rows: number, types: readonly string[] | undefined): PlacedBlock {
  const [own = 0, dim = 0] = tensor.shape;
  const { data } = tensor.contiguous();
  const isFloat = data instanceof Float32Array || data instanceof Float64Array;
  if (tensor.rank !== 2 || own !== rows || dim === 0 || !isFloat)
    throw new ShapeError({
      where: `probe.fitFeatures: features${layer === 0 ? "" : `[${layer}]`}`,
      got: `${tensor.dtype} [${tensor.shape.join(", ")}] for ${rows} labels`,
      expected: `float32 or float64 [row = ${rows}, feature]`,
      fix: "Give one row for each label.",
    });
  const place = { layer, pos: "", hook: "", axes: ["feature"], shape: [dim], dim, data, name: `features ${layer}` };
  return types === undefined ? place : { ...place, types };
}

function checkCount(list: readonly string[] | undefined, rows: number, what: string): void {
  if (list === undefined || list.length === rows) return;
  throw new ShapeError({
    where: `probe.fitFeatures: ${what}`,
    got: `${list.length} names for ${rows} labels`,
    expected: "one for each row",
    fix: "Name each row's.",
  });
}

async function fitFeatures(
  features: Tensor | readonly Tensor[],
  labels: readonly (string | number)[],
  options: FeatureProbeOptions = {},
): Promise<ProbeResult> {
  const where = "probe.fitFeatures";
  const { groups, types, split } = options;
  checkCount(groups, labels.length, "groups");
  checkCount(types, labels.length, "types");
  const targets = readTargets(labels, options.labels, where);
  const list = features instanceof Tensor ? [features] : features;
  const keys = labels.map((_, i) => String(i));
  const units = unitsOf(groups ?? keys.map(() => undefined), keys, split, where);
  const plan = planFit(targets, units, options, where);
  const blocks = list.map((tensor, layer) => featureBlock(tensor, layer, labels.length, types));
  const bytes = blocks.map(({ data }) => sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
  const origin = { model: "", identity: "", edits: [], dataHash: sha256(bytes.join(" ")) };
  const engine = Engine.create();
  try {
    const seen = { groups: [...new Set(groups)], texts: [] };
    return await runFit({ plan, blocks, targets, units, origin, seen, engine, where }, options);
  } finally {
    await engine.close();
  }
}

/** Linear probes on activations. */
export const probe: Probe = { fit, fitFeatures, load: async (folder) => new ProbeResult(await loadProbe(folder)) };
