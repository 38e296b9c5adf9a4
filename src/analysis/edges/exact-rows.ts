/**
 * Single edges, exactly: a receiver reads its stream with one sender's write changed, and everything behind it is computed
 * again. Edges to the same kind of input in a layer ride on the batch axis, and nothing before the layer is computed.
 */
import { InputError, progressOf, throwIfAborted } from "../../core/index.js";
import { type FloatArray, type Model, RowRunner } from "../../model/index.js";
import { openGroup, type PromptGroup } from "../patching/group.js";
import { checkEdits, type Donor } from "../patching/patches.js";
import { byLength, type TokenPair } from "../patching/prompts.js";
import { batchFlops, rowFlops, streams } from "../patching/rows.js";
import { siteHook } from "../patching/sites.js";
import { memoryOf } from "../patching/sweep.js";
import type { PromptValues } from "../patching/values.js";
import { type Edge, findNodes, isUpstream, type Receiver, receiversOf, type Sender, sendersOf } from "./nodes.js";
import { type EdgeInput, edgeDonor, edgePairs } from "./paths.js";
import { checkAdditive, readHook, receiverSlice, senderSlice, writeHook, writeHooks } from "./writes.js";

/** One edge with its place in the list. */
interface Target {
  readonly index: number;
  readonly sender: Sender;
  readonly receiver: Receiver;
}

/** One row: an edge and a prompt of the group. */
interface EdgeRow extends Target {
  readonly prompt: number;
}

interface EdgeWork {
  readonly model: Model;
  readonly runner: RowRunner;
  readonly group: PromptGroup;
  readonly donor: Donor;
  readonly input: EdgeInput;
  readonly sums: Float64Array;
  readonly report: (rows: number) => void;
}

function targetsOf(model: Model, list: readonly Edge[], where: string): readonly Target[] {
  const [senders, receivers] = [sendersOf(model), receiversOf(model)];
  return list.map(({ from, to }, index) => {
    const [sender] = findNodes([from], senders, where);
    const [receiver] = findNodes([to], receivers, where);
    if (sender !== undefined && receiver !== undefined && isUpstream(model, sender, receiver))
      return { index, sender, receiver };
    throw new InputError({
      where,
      got: `${from} → ${to}`,
      expected: "an edge from a part to a later input",
      fix: "A part's write is read by later layers, and by the MLP of its own layer where blocks are sequential.",
    });
  });
}

/** The stream that a receiver reads in the unpatched run, `[prompt, pos, dModel]`. */
function streamOf({ model, group }: EdgeWork, receiver: Receiver): PromptValues {
  if (receiver.kind === "head") return group.run.values(siteHook("resid_pre", receiver.layer));
  return group.run.values(readHook(model, receiver));
}

/** What receivers read in each row: the stream, for every head, with the row's own write changed for its own head. */
function readValues(work: EdgeWork, rows: readonly EdgeRow[]): FloatArray {
  const { model, group } = work;
  const { dModel } = model.config;
  const [first] = rows;
  const heads = first === undefined ? 1 : receiverSlice(model, first.receiver).heads;
  const size = group.pos * heads * dModel;
  const out =
    model.view.precision === "float64" ? new Float64Array(size * rows.length) : new Float32Array(size * rows.length);
  rows.forEach((row, r) => {
    const stream = streamOf(work, row.receiver);
    for (let p = 0; p < group.pos; p++) {
      const start = row.prompt * stream.stride + p * dModel;
      const part = stream.data.subarray(start, start + dModel);
      for (let head = 0; head < heads; head++) out.set(part, r * size + (p * heads + head) * dModel);
    }
    addChange(work, row, out.subarray(r * size, (r + 1) * size));
  });
  return out;
}

/** Adds the change of a row's sender's write to what its receiver reads. */
function addChange({ model, group, donor }: EdgeWork, { sender, receiver, prompt }: EdgeRow, out: FloatArray): void {
  const { dModel } = model.config;
  const [own, other] = [group.run.values(writeHook(sender)), donor(writeHook(sender))];
  const [from, to] = [senderSlice(model, sender), receiverSlice(model, receiver)];
  for (let p = 0; p < group.pos; p++) {
    const source = prompt * own.stride + (p * from.heads + from.head) * dModel;
    const target = (p * to.heads + to.head) * dModel;
    for (let d = 0; d < dModel; d++)
      out[target + d] = (out[target + d] ?? 0) + (other.data[source + d] ?? 0) - (own.data[source + d] ?? 0);
  }
}

async function runBatch(work: EdgeWork, hook: string, rows: readonly EdgeRow[]): Promise<void> {
  const { model, runner, group, input, sums } = work;
  const { nLayers } = model.config;
  // A single row runs twice: products with one row round otherwise.
  const all = rows.length === 1 ? [...rows, ...rows] : rows;
  const [first] = all;
  const startAtLayer = first === undefined || first.receiver.kind === "logits" ? nLayers - 1 : first.receiver.layer;
  const none = new (model.view.precision === "float64" ? Float64Array : Float32Array)(0);
  const { metric } = await runner.run(
    {
      startAtLayer,
      batch: all.length,
      from: 0,
      to: group.pos,
      residual: streams(
        all.map(({ prompt }) => ({ prompt, slot: 0, from: 0, chosen: [] })),
        startAtLayer,
        0,
        work,
      ),
      past: Array.from({ length: nLayers - startAtLayer }, () => ({ key: none, value: none })),
      pastRows: all.map(() => 0),
      replace: new Map([[hook, readValues(work, all)]]),
      tokens: Int32Array.from(all.flatMap(({ prompt }) => group.tokens[prompt] ?? [])),
    },
    {
      metric: input.metric,
      metricRows: all.map(({ prompt }) => group.indices[prompt] ?? 0),
      ...(input.signal === undefined ? {} : { signal: input.signal }),
    },
  );
  rows.forEach(({ index, prompt }, i) => {
    sums[index] = (sums[index] ?? 0) + (metric[i] ?? Number.NaN) - (group.run.metric[prompt] ?? Number.NaN);
  });
}

/** Rows that run at once. */
function rowLimit({ model, group }: EdgeWork, receiver: Receiver): number {
  const { dModel, nLayers } = model.config;
  const layer = receiver.kind === "logits" ? nLayers - 1 : receiver.layer;
  const bytes = 16 * group.pos * dModel * (1 + receiverSlice(model, receiver).heads);
  return Math.max(2, Math.min(batchFlops / rowFlops(model, layer, group.pos), memoryOf(model, undefined) / 4 / bytes));
}

async function measureGroup(work: EdgeWork, targets: readonly Target[]): Promise<void> {
  const { model, group, input } = work;
  const hooks = new Map<string, EdgeRow[]>();
  for (const target of targets) {
    const hook = readHook(model, target.receiver);
    const rows = group.indices.map((_, prompt) => ({ ...target, prompt }));
    hooks.set(hook, [...(hooks.get(hook) ?? []), ...rows]);
  }
  for (const [hook, rows] of hooks) {
    const [first] = rows;
    const size = first === undefined ? 1 : Math.floor(rowLimit(work, first.receiver));
    for (let start = 0; start < rows.length; start += size) {
      throwIfAborted(input.signal, "edges.exact");
      const batch = rows.slice(start, start + size);
      await runBatch(work, hook, batch);
      work.report(batch.length);
    }
  }
}

/** Prompts of one length that run at once. */
const groupSize = 16;

function groupsOf(pairs: readonly TokenPair[]): readonly (readonly TokenPair[])[] {
  return byLength(pairs).flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / groupSize) }, (_, i) => all.slice(i * groupSize, (i + 1) * groupSize)),
  );
}

/** The change of the metric that each edge makes, summed over prompts. */
export async function measureEdges(
  model: Model,
  list: readonly Edge[],
  input: EdgeInput,
  where: string,
): Promise<{ sums: Float64Array; pairs: readonly TokenPair[] }> {
  checkEdits(model, where);
  checkAdditive(model, where);
  const targets = targetsOf(model, list, where);
  const pairs = edgePairs(model, input, where);
  const donate = edgeDonor(model, input, new Float64Array(pairs.length), where);
  const { metric, signal } = input;
  const long = signal === undefined ? {} : { signal };
  const sums = new Float64Array(list.length);
  const onProgress = progressOf(input);
  let done = 0;
  const report = (rows: number): void => {
    done += rows;
    onProgress?.({ done, total: list.length * pairs.length, label: "edges" });
  };
  const runner = new RowRunner(model.view);
  const inputs = targets.flatMap(({ receiver }) => (receiver.kind === "head" ? [] : [readHook(model, receiver)]));
  for (const group of groupsOf(pairs)) {
    const [indices, tokens] = [group.map(({ index }) => index), group.map(({ into }) => into)];
    const hooks = [...writeHooks(model), ...inputs];
    const opened = await openGroup(model, { ...long, metric, indices, tokens, firstLayer: 0, hooks });
    const donor = await donate(group, writeHooks(model));
    await measureGroup({ model, runner, group: opened, donor, input, sums, report }, targets);
  }
  return { sums, pairs };
}
