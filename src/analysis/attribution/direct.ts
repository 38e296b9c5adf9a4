/**
 * Direct logit attribution: a prediction as the sum of what each part of the model wrote.
 *
 * 1. The run's own final-norm scale makes the way from the stream to a logit linear: part `c` contributes
 *    `(w ⊙ (c − mean c) / scale) · (W_U[:, t] − W_U[:, t′])` (without the mean for RMS norms);
 * 2. what no activation makes is a part of its own: `ln_final.b`, `unembed.b_U`, and in attributions by head or neuron the
 *    output biases of each layer;
 * 3. the sum over all entries is compared with the logit that the model puts out.
 *
 * Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
 */
import { InputError, interruptible, progressOf, throwIfAborted, UnsupportedError } from "../../core/index.js";
import type { Model, Receipt, Run } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { groupByLength, type PromptGroup, type Prompts, pickInput, readPrompts } from "../prompts.js";
import { attributedParts, entryOf, joinParts, neededHooks, type Parts } from "./parts.js";
import { AttributionResult } from "./result.js";
import { type ResolvedTarget, resolveTarget } from "./target.js";
import type { AttributionUnit, DirectAttributionOptions } from "./types.js";

const where = "attribution.direct";

function checkUnit(model: Model, by: AttributionUnit): void {
  if (!["component", "head", "layer", "neuron"].includes(by))
    throw new InputError({
      where: `${where}: by`,
      got: JSON.stringify(by),
      expected: '"component", "layer", "head" or "neuron"',
      fix: "Correct the word.",
    });
  if (by !== "neuron" || !model.config.attnOnly) return;
  throw new UnsupportedError({
    where: `${where}: by`,
    got: '"neuron", for a model without MLPs',
    expected: "a model with neurons",
    fix: 'Use by: "head".',
  });
}

/** Refuses edits between the stream and the logits, which no part of the stream explains. */
function refuseReadoutEdits({ edits }: Receipt): void {
  const found = edits.flatMap(({ name, hooks }) =>
    hooks
      .filter((hook) => /^(ln_final\.hook_normalized|unembed\..*)$/.test(hook))
      .map((hook) => `edit.${name} at ${hook}`),
  );
  if (found.length === 0) return;
  throw new UnsupportedError({
    where,
    got: `a model with ${found.join(", ")}`,
    expected: "logits that are the unembedding of the final norm's output",
    fix: "Edit the stream instead.",
  });
}

/** What a run of one group returns besides its parts. */
interface GroupResult {
  readonly parts: Parts;
  /** One for each prompt of the group. */
  readonly totals: readonly number[];
}

interface Question {
  readonly model: Model;
  readonly target: ResolvedTarget;
  readonly options: DirectAttributionOptions;
  readonly by: AttributionUnit;
  readonly pos: "last" | number;
}

/** The hook point that holds what is attributed, where it is not the logits that a run returns. */
function totalHook({ model, target }: Question): string | undefined {
  if (target.isDirection) return "unembed.hook_in";
  return model.config.outputLogitsSoftCap === undefined ? undefined : "unembed.hook_out";
}

function slotOf(pos: "last" | number, length: number): number {
  if (pos === "last") return length - 1;
  return pos < 0 ? length + pos : pos;
}

function totalsOf(question: Question, run: Run, { places, length }: PromptGroup): readonly number[] {
  const { target, pos } = question;
  const hook = totalHook(question);
  const values = hook === undefined ? run.logits.at({ pos: 0 }) : run.cache.get(hook).at({ pos: slotOf(pos, length) });
  return places.map((place, row) => target.total({ values: values.at({ batch: row }).contiguous().data }, place));
}

/** `ln_final.b` and `unembed.b_U` as entries, where the model has them. */
function constantParts({ lnFinal, unembed }: ResolvedTarget, places: readonly number[]): readonly Parts[] {
  const one = (label: string, values: Tensor): readonly Parts[] => {
    if (values.data.every((x) => Number(x) === 0)) return [];
    return [{ entries: [entryOf(label)], values: values.at({ batch: places }).insertAxis("component") }];
  };
  return [...one("ln_final.b", lnFinal), ...one("unembed.b_U", unembed)];
}

async function attributeGroup(question: Question, group: PromptGroup): Promise<GroupResult & { readonly run: Run }> {
  const { model, target, options, by, pos } = question;
  const { remainder = false, signal } = options;
  const hook = totalHook(question);
  const capture = [...neededHooks(model, by, remainder), ...(hook === undefined ? [] : [hook])];
  const run = await model.run(group.rows, {
    capture,
    logits: hook === undefined ? pos : "none",
    ...(signal === undefined ? {} : { signal }),
  });
  refuseReadoutEdits(run.receipt);
  const directions = target.directions.at({ batch: group.places });
  const { layers } = run.receipt;
  const parts = await attributedParts({ model, cache: run.cache, layers, pos, directions, remainder, signal }, by);
  return {
    run,
    parts: joinParts([parts, ...constantParts(target, group.places)]),
    totals: totalsOf(question, run, group),
  };
}

/** Puts the columns of groups where their prompts belong: `[component, batch]`. */
function assemble(
  results: readonly GroupResult[],
  groups: readonly PromptGroup[],
  prompts: number,
): AttributionResult["values"] {
  const count = results[0]?.parts.entries.length ?? 0;
  const data = new Float64Array(count * prompts);
  for (const [i, { parts }] of results.entries()) {
    const { places } = groups[i] ?? { places: [] };
    const from = parts.values.contiguous().data;
    for (let row = 0; row < count; row++)
      for (const [column, place] of places.entries())
        data[row * prompts + place] = Number(from[row * places.length + column]);
  }
  return Tensor.of(data, [count, prompts], ["component", "batch"]);
}

/** See `attribution.direct`. */
export async function directAttribution(
  model: Model,
  prompts: Prompts,
  given: DirectAttributionOptions,
): Promise<AttributionResult> {
  const options = interruptible(given);
  const { by = "component", pos = "last" } = options;
  checkUnit(model, by);
  const read = readPrompts(model, prompts, pickInput(options), where);
  const target = await resolveTarget(model, options.of, read.length);
  const groups = groupByLength(read);
  const report = progressOf(options);
  const results: (GroupResult & { readonly run: Run })[] = [];
  for (const [done, group] of groups.entries()) {
    throwIfAborted(options.signal, where);
    results.push(await attributeGroup({ model, target, options, by, pos }, group));
    report?.({ done: done + 1, total: groups.length, label: "attribution: groups of prompts" });
  }
  const totals = new Float64Array(read.length);
  for (const [i, { totals: own }] of results.entries())
    own.forEach((value, row) => (totals[groups[i]?.places[row] ?? 0] = value));
  return new AttributionResult({
    of: target.name,
    by,
    entries: results[0]?.parts.entries ?? [],
    values: assemble(results, groups, read.length),
    total: Tensor.of(totals, [read.length], ["batch"]),
    prompts: read.map(({ pieces }) => pieces),
    isBeforeSoftCap: !target.isDirection && model.config.outputLogitsSoftCap !== undefined,
    receipt: results[0]?.run.receipt,
  });
}
