/** The entries of an attribution: parts of the stream, each through the final norm and along the directions. */
import type { ActivationCache, Model, ResidStack } from "../../model/index.js";
import { concat, stack as stackTensors, type Tensor } from "../../tensor/index.js";
import type { AttributionEntry, AttributionKind, AttributionUnit } from "./types.js";

/** Entries with their values, `[component, batch]`. */
export interface Parts {
  readonly entries: readonly AttributionEntry[];
  readonly values: Tensor;
}

/** What parts are made from: a run, where it is looked at and along what. */
export interface PartsJob {
  readonly model: Model;
  readonly cache: ActivationCache;
  /** Layer ids in the order they ran. */
  readonly layers: readonly number[];
  readonly pos: "last" | number;
  /** `[batch, dModel]`. */
  readonly directions: Tensor;
  readonly remainder: boolean;
  readonly signal?: AbortSignal | undefined;
}

const patterns: readonly (readonly [RegExp, AttributionKind])[] = [
  [/^L(\d+)(?:~\d+)?H(\d+)$/, "head"],
  [/^L(\d+)(?:~\d+)?N(\d+)$/, "neuron"],
  [/^(\d+)(?:~\d+)?_attn_out$/, "attn"],
  [/^(\d+)(?:~\d+)?_mlp_out$/, "mlp"],
  [/^(\d+)_b_(?:O|out)$/, "bias"],
  [/^L(\d+)$/, "layer"],
  [/^(?:b_O|b_out|ln_final\.b|unembed\.b_U)$/, "bias"],
  [/^remainder$/, "remainder"],
];

/** What a label says. */
export function entryOf(label: string): AttributionEntry {
  for (const [pattern, kind] of patterns) {
    const found = pattern.exec(label);
    if (found === null) continue;
    const [, layer, index] = found;
    return {
      label,
      kind,
      ...(layer === undefined ? {} : { layer: Number(layer) }),
      ...(index === undefined ? {} : { index: Number(index) }),
    };
  }
  return { label, kind: "embed" };
}

function partsOf(labels: readonly string[], values: Tensor): Parts {
  return { entries: labels.map(entryOf), values: values.transpose(["component", "batch"]) };
}

/** Joins lists of entries. */
export function joinParts(lists: readonly Parts[]): Parts {
  const full = lists.filter(({ entries }) => entries.length > 0);
  return {
    entries: full.flatMap(({ entries }) => entries),
    values: concat(
      full.map(({ values }) => values),
      "component",
    ),
  };
}

/** The entries that pass a test. */
function keep({ entries, values }: Parts, test: (entry: AttributionEntry) => boolean): Parts {
  const kept = entries.flatMap((entry, i) => (test(entry) ? [i] : []));
  return { entries: kept.flatMap((i) => entries[i] ?? []), values: values.at({ component: kept }) };
}

function lookOf({ pos, remainder }: PartsJob): {
  readonly applyLn: true;
  readonly posSlice: "last" | number;
  readonly inclRemainder: boolean;
} {
  return { applyLn: true, posSlice: pos, inclRemainder: remainder };
}

/** Embeddings and writes, with a remainder where it is asked for. */
async function writes(job: PartsJob): Promise<Parts> {
  const { stack, labels } = await job.cache.decomposeResid(lookOf(job));
  return partsOf(labels, stack.matmul(job.directions, "dModel"));
}

/** Sums the writes of each layer. */
async function byLayer(job: PartsJob): Promise<Parts> {
  const all = await writes(job);
  const layers = [...new Set(all.entries.flatMap(({ layer }) => layer ?? []))];
  const sums = layers.map((layer) => keep(all, (entry) => entry.layer === layer).values.sum("component"));
  const whole: Parts = partsOf(
    layers.map((layer) => `L${layer}`),
    stackTensors(sums, "component"),
  );
  const alone = (kind: AttributionKind): Parts => keep(all, (entry) => entry.kind === kind);
  return joinParts([alone("embed"), ...(layers.length === 0 ? [] : [whole]), alone("remainder")]);
}

/** What sublayers add whatever they read, for each layer: `[component, batch]`. */
async function biases(job: PartsJob, sublayer: "attn" | "mlp"): Promise<Parts> {
  const { cache, model, layers, pos } = job;
  const name = sublayer === "attn" ? "b_O" : "b_out";
  // A layer that runs twice cannot be named by its id: then one entry holds all biases.
  const isPlain = new Set(layers).size === layers.length;
  const places: readonly (number | undefined)[] = isPlain ? [...layers, undefined] : [undefined];
  const sums: Tensor[] = [];
  for (const layer of places) {
    const until = (inclMlp: boolean): Promise<Tensor> => cache.accumulatedBias({ layer, inclMlp, posSlice: pos });
    const attn = await until(false);
    sums.push(sublayer === "attn" ? attn : (await until(true)).sub(attn));
  }
  const own = isPlain ? sums.slice(1).map((sum, i) => sum.sub(sums[i] ?? 0)) : sums;
  const size = job.directions.sizeOf("batch");
  const wide = own.map((bias) => (bias.axes.includes("batch") ? bias : bias.insertAxis("batch", { size })));
  const normed = await cache.applyLnToStack(stackTensors(wide, "component"), { posSlice: pos });
  const labels = isPlain ? layers.map((layer) => `${layer}_${name}`) : [name];
  const found = partsOf(labels, normed.matmul(job.directions, "dModel"));
  const hasBias = model.view.processing.foldValueBiases || found.values.data.some((x) => Number(x) !== 0);
  return hasBias ? found : { entries: [], values: found.values };
}

/** What is left of a stream after other entries: `rest − Σ others`. */
function remainderOf(rest: Parts, others: readonly Parts[]): Parts {
  const known = joinParts(others).values.sum("component", { keepAxis: true });
  return { entries: rest.entries, values: rest.values.sub(known) };
}

/** Heads or neurons in place of their sublayers, and the biases of these. */
async function bySublayerParts(job: PartsJob, sublayer: "attn" | "mlp"): Promise<Parts> {
  const { cache, directions, signal } = job;
  const options = { ...lookOf(job), projectOutputOnto: directions, ...(signal === undefined ? {} : { signal }) };
  const stacks: ResidStack =
    sublayer === "attn" ? await cache.stackHeadResults(options) : await cache.stackNeuronResults(options);
  const all = partsOf(stacks.labels, stacks.stack);
  const isRemainder = (entry: AttributionEntry): boolean => entry.kind === "remainder";
  const inner = keep(all, (entry) => !isRemainder(entry));
  const others = [
    keep(await writes(job), (entry) => entry.kind !== sublayer && !isRemainder(entry)),
    await biases(job, sublayer),
  ];
  if (!job.remainder) return joinParts([inner, ...others]);
  return joinParts([inner, ...others, remainderOf(keep(all, isRemainder), others)]);
}

const makers: { readonly [U in AttributionUnit]: (job: PartsJob) => Promise<Parts> } = {
  component: writes,
  layer: byLayer,
  head: (job) => bySublayerParts(job, "attn"),
  neuron: (job) => bySublayerParts(job, "mlp"),
};

/** Returns the parts of the stream along the directions. */
export function attributedParts(job: PartsJob, by: AttributionUnit): Promise<Parts> {
  return makers[by](job);
}

/** Hook points that a unit needs. */
export function neededHooks(model: Model, by: AttributionUnit, remainder: boolean): readonly string[] {
  const inner = {
    component: "",
    layer: "",
    head: "|attn\\.hook_z|ln1_post\\.hook_scale",
    neuron: "|mlp\\.hook_post|ln[12]_post\\.hook_scale",
  };
  const block = new RegExp(`^blocks\\.[^.]+\\.(?:hook_attn_out|hook_mlp_out${inner[by]})$`);
  const outer = /^(?:hook_embed|hook_pos_embed|ln_final\.hook_scale)$/;
  const names = model.hookNames();
  const last = remainder ? names.filter((name) => name.endsWith(".hook_resid_post")).slice(-1) : [];
  return [...names.filter((name) => block.test(name) || outer.test(name)), ...last];
}
