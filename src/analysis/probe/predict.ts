/** Probes on new texts. */
import { InputError, type LongCallOptions, sha256 } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { positionsOf, type ReadOptions, readExamples, readTargets } from "./examples.js";
import { featurePoint, gatherFeatures } from "./features.js";
import type { HeldOut, Readout } from "./fit.js";
import type { ProbeResult } from "./result.js";
import { plainScore, predictedClasses, scoreIntervals } from "./scores.js";
import { probabilities } from "./temperature.js";
import type {
  ProbeExample,
  ProbeExamples,
  ProbePosition,
  ProbePrediction,
  ProbePredictOptions,
  ProbeScore,
} from "./types.js";

/** Applies a readout to features `[rows, features]`: scores `[outputs, rows]` and probabilities. */
export function applyReadout({ weights, bias, temperature }: Readout, data: Float32Array, classes: number): HeldOut {
  const outputs = bias.length;
  const features = weights.length / outputs;
  const rows = data.length / features;
  const scores = new Float64Array(outputs * rows);
  for (let i = 0; i < rows; i++)
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o] as number;
      for (let j = 0; j < features; j++)
        sum += (weights[o * features + j] as number) * (data[i * features + j] as number);
      scores[o * rows + i] = sum;
    }
  return { scores, probabilities: classes === 0 ? new Float64Array() : probabilities(scores, rows, temperature) };
}

/** The position that a score's name stands for. */
function positionNamed(name: string): ProbePosition {
  const number = Number(name);
  return Number.isInteger(number) ? number : name;
}

/** What a text was, for finding it again. */
export function textKey(ids: Int32Array): string {
  return sha256(ids.join(" ")).slice(0, 16);
}

interface Read {
  readonly examples: readonly ProbeExample[];
  readonly keys: readonly string[];
  readonly heldOut: HeldOut;
}

async function readWith(
  result: ProbeResult,
  model: Model,
  given: ProbeExamples,
  options: { readonly where: string } & ProbePredictOptions,
): Promise<Read> {
  const { where } = options;
  const { labels } = result;
  const probe = result.find(options);
  const { hook } = probe.score;
  if (hook === "")
    throw new InputError({
      where,
      got: "a probe of features without a hook point",
      expected: "probe.fit on a model",
      fix: "Multiply with result.weights() yourself.",
    });
  const read = await readExamples(model, given, readingOf(result, model, options), where);
  const points = [featurePoint(model, hook, where)];
  const { features } = await gatherFeatures(model, {
    ids: read.ids,
    points,
    positions: [positionsOf(read, positionNamed(probe.score.pos), where)],
    ...longOptions(options),
    ...(options.batchTokens === undefined ? {} : { batchTokens: options.batchTokens }),
  });
  const data = features[0]?.[0] ?? new Float32Array(0);
  return {
    examples: read.examples,
    keys: read.ids.map(textKey),
    heldOut: applyReadout(probe.readout, data, labels.length),
  };
}

/** How new texts are read: as those that the probe was fitted to. */
function readingOf(
  { provenance }: ProbeResult,
  model: Model,
  { prependBos, where }: { readonly where: string } & ProbePredictOptions,
): ReadOptions {
  const { reading = {} } = provenance;
  const fitted = reading.prependBos ?? model.view.core.tokenizer?.prependsBos ?? false;
  if (prependBos === undefined || prependBos === fitted) return reading;
  throw new InputError({
    where: `${where}: prependBos`,
    got: `${prependBos}, for a probe that was fitted with ${fitted}`,
    expected: "texts read as those that the probe was fitted to",
    fix: "Leave it out: the probe remembers. Or fit another probe with it.",
  });
}

/** The two options of long calls, where given. */
export function longOptions({ signal, onProgress }: LongCallOptions): LongCallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
}

/** See `ProbeResult.predict`. */
export async function predictTexts(
  result: ProbeResult,
  model: Model,
  texts: readonly string[] | readonly (readonly number[])[],
  options: ProbePredictOptions,
): Promise<readonly ProbePrediction[]> {
  const examples = Array.from(
    texts as readonly (string | readonly number[])[],
    (one): ProbeExample => (typeof one === "string" ? { text: one, label: "" } : { tokens: one, label: "" }),
  );
  const { labels } = result;
  const where = "probe result: predict";
  const { heldOut } = await readWith(result, model, examples, { ...options, where });
  const rows = examples.length;
  const classes = labels.length;
  const outputs = heldOut.scores.length / rows;
  const predicted = predictedClasses(heldOut.scores, rows);
  return examples.map((_, i) => {
    const own = predicted[i] ?? 0;
    return {
      label: labels[own] ?? "",
      probabilities: Array.from(heldOut.probabilities.subarray(i * classes, (i + 1) * classes)),
      value: heldOut.scores[(outputs === 1 ? 0 : own) * rows + i] ?? Number.NaN,
    };
  });
}

function checkUnseen({ seen }: ProbeResult["parts"], { examples, keys }: Read, where: string): void {
  const groups = new Set(seen.groups);
  const texts = new Set(seen.texts);
  const leak = examples.findIndex(
    ({ group }, i) => (group !== undefined && groups.has(group)) || texts.has(keys[i] ?? ""),
  );
  if (leak < 0) return;
  const { group } = examples[leak] ?? {};
  throw new InputError({
    where: `${where}: example ${leak}`,
    got:
      group !== undefined && groups.has(group)
        ? `group "${group}", which was trained on`
        : "a text that was trained on",
    expected: "groups and texts that the probe has not seen",
    fix: "Leave it out; scores on held-out folds are in result.scores.",
  });
}

/** See `ProbeResult.evaluate`. */
export async function evaluateProbe(
  result: ProbeResult,
  model: Model,
  given: ProbeExamples,
  options: ProbePredictOptions,
): Promise<ProbeScore> {
  const where = "probe result: evaluate";
  const { labels } = result;
  const probe = result.find(options);
  const read = await readWith(result, model, given, { ...options, where });
  checkUnseen(result.parts, read, where);
  const values = knownTargets(read.examples, labels, where);
  const judged = { values, classes: labels.length, heldOut: read.heldOut };
  const units = read.examples.map(({ group }, i) => group ?? read.keys[i] ?? "");
  const [intervals] = scoreIntervals([judged], { units, resamples: 1000, seed: result.provenance.seed });
  const none = { low: Number.NaN, high: Number.NaN };
  return {
    ...probe.score,
    ...plainScore(judged),
    ...(intervals ?? { interval: none, aurocInterval: none }),
    folds: [],
    deviation: Number.NaN,
    control: Number.NaN,
    selectivity: Number.NaN,
  };
}

/** Labels of new examples in the classes of the probe; one class alone is fine here. */
function knownTargets(
  examples: readonly ProbeExample[],
  labels: readonly string[],
  where: string,
): Int32Array | Float64Array {
  const given = examples.map(({ label }) => label);
  if (labels.length === 0) return readTargets(given, undefined, where).values;
  const values = Int32Array.from(given, (label) => labels.indexOf(String(label)));
  const odd = values.indexOf(-1);
  if (odd < 0) return values;
  throw new InputError({
    where: `${where}: example ${odd}`,
    got: `the label ${JSON.stringify(given[odd])}`,
    expected: `one of ${labels.join(", ")}`,
    fix: "Use the labels that the probe was fitted to.",
  });
}
