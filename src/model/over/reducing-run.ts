/** One run that reduces: what it plans, what it holds, where it saves. */
import { hashJson, InputError, InternalError } from "../../core/index.js";
import type { Run } from "../run/result.js";
import type { ModelView } from "../view.js";
import { checkpointPlan, checkSameData, loadCheckpoint, saveCheckpoint } from "./checkpoint.js";
import type { FeedItem } from "./feed.js";
import { checkedMemory, type OverMemory, type PlannedBatch, planBatch, stateBytes } from "./memory.js";
import type { CheckpointOptions, OverProvenance, OverSummary, ReduceOption, ReduceOptions } from "./options.js";
import { engineProducts } from "./products.js";
import type { Reducer } from "./reducer.js";
import { runOptionsOf } from "./run-options.js";
import { type Settings, settingsOf } from "./settings.js";
import { type NamedReducers, noTotals, ReduceState, type Totals } from "./state.js";

interface Parts {
  readonly state: ReduceState;
  readonly hooks: readonly string[];
  readonly settings: Settings;
}

/** The run from its first batch to its result. */
export class ReducingRun {
  readonly #view: ModelView;
  readonly #options: ReduceOptions<ReduceOption>;
  readonly #reducers: NamedReducers;
  readonly #checkpoint: Required<CheckpointOptions> | undefined;
  #opened: Parts | undefined;
  #saved: Totals = noTotals;
  #memory: OverMemory = { batch: 0, state: 0, total: 0 };
  #largest = 0;

  constructor(view: ModelView, options: ReduceOptions<ReduceOption>) {
    this.#view = view;
    this.#options = options;
    this.#reducers = namedReducers(options.reduce);
    this.#checkpoint = checkpointPlan(options.checkpoint);
    if (this.#checkpoint !== undefined) checkResumable(this.#reducers);
  }

  /** Numbers after the last batch. */
  get totals(): Totals {
    return this.#parts().state.totals;
  }

  /** Plans the first batch, and continues from a checkpoint where there is one. */
  async open(item: FeedItem): Promise<void> {
    const { points } = this.#plan(item);
    const state = new ReduceState(points, this.#reducers, engineProducts(this.#view.core.engine));
    const hooks = points.map(({ name }) => name);
    const own = { reduce: [...this.#reducers].map(([name, { description }]) => `${name}: ${description}`) };
    this.#opened = { state, hooks, settings: settingsOf(this.#view, this.#options, hooks, own) };
    if (this.#checkpoint === undefined) return;
    await loadCheckpoint(this.#checkpoint.path, state, this.#opened.settings);
    this.#saved = state.totals;
  }

  /** Compares the hash of the data with the checkpoint's, after its last batch or at the end of the data. */
  checkData(hash: string, count: number, isEnd: boolean): void {
    const { batches } = this.#saved;
    const isSame = isEnd ? count >= batches : count !== batches || hash === this.#saved.hash;
    if (this.#checkpoint !== undefined) checkSameData(this.#checkpoint.path, isSame, batches);
  }

  /** Says whether a batch has to run, and refuses one that is too large. */
  before(item: FeedItem): "run" | "skip" {
    if (item.index < this.#saved.batches) return "skip";
    if (item.batch.batch * item.batch.pos > this.#largest) this.#plan(item);
    return "run";
  }

  /** Adds a finished batch and saves when it is time. */
  async add(item: FeedItem, run: Run): Promise<void> {
    const { state, settings } = this.#parts();
    await state.add(item, run, this.#options.loss === true);
    const isDue = this.#checkpoint !== undefined && state.totals.batches % this.#checkpoint.everyBatches === 0;
    if (isDue) await saveCheckpoint(this.#checkpoint.path, state, settings);
  }

  /** Saves a last time and returns the result. */
  async finish(): Promise<OverSummary> {
    const { state, settings, hooks } = this.#parts();
    const { totals } = state;
    if (totals.tokens === 0) throw nothingCounted(totals.rows);
    if (this.#checkpoint !== undefined && totals.batches > this.#saved.batches)
      await saveCheckpoint(this.#checkpoint.path, state, settings);
    const summary: OverSummary = {
      tokens: totals.tokens,
      rows: totals.rows,
      batches: totals.batches,
      hooks,
      ...(this.#options.loss === true ? { loss: totals.lossSum / totals.lossSteps, lossSteps: totals.lossSteps } : {}),
      memory: this.#memory,
      provenance: provenanceOf(this.#view, totals.hash, settings),
    };
    const values: Record<string, unknown> = {};
    for (const name of this.#reducers.keys()) values[name] = state.finish(name);
    return { ...summary, ...values };
  }

  #plan(item: FeedItem): PlannedBatch {
    const planned = planBatch(this.#view, item.input, runOptionsOf(this.#options));
    const limit = this.#options.memoryLimit ?? this.#view.core.memoryLimit;
    this.#memory = checkedMemory(planned.bytes, stateBytes(planned.points, [...this.#reducers.values()]), limit);
    this.#largest = item.batch.batch * item.batch.pos;
    return planned;
  }

  #parts(): Parts {
    if (this.#opened !== undefined) return this.#opened;
    throw new InternalError({
      where: "model.over",
      got: "a run that was not opened",
      expected: "an open run",
      fix: "Report this as a bug.",
    });
  }
}

/** What a run was: model, edits, data, settings. */
function provenanceOf(view: ModelView, dataHash: string, settings: Settings): OverProvenance {
  return {
    model: view.core.checkpoint.id,
    identity: view.core.checkpoint.identity,
    precision: view.precision,
    edits: view.edits.map(({ name }) => name),
    dataHash,
    settingsHash: hashJson(settings),
  };
}

const reservedNames: readonly string[] = [
  "tokens",
  "rows",
  "batches",
  "hooks",
  "loss",
  "lossSteps",
  "memory",
  "provenance",
];

function isReducer(option: ReduceOption): option is Reducer<unknown> {
  return typeof option["start"] === "function";
}

function namedReducers(option: ReduceOption): NamedReducers {
  const named = new Map(isReducer(option) ? [[option.name, option] as const] : Object.entries(option));
  for (const name of named.keys()) {
    if (!reservedNames.includes(name) && name !== "" && !name.includes("/")) continue;
    throw new InputError({
      where: "model.over: reduce",
      got: `a statistic named "${name}"`,
      expected: `a name without "/" that is none of ${reservedNames.join(", ")}`,
      fix: "Give it another name: reduce: { myName: reduce.mean() }.",
    });
  }
  return named;
}

function checkResumable(reducers: NamedReducers): void {
  const bad = [...reducers].find(([, { isResumable }]) => !isResumable);
  if (bad === undefined) return;
  throw new InputError({
    where: "model.over: checkpoint",
    got: `the statistic "${bad[0]}", whose state cannot be saved`,
    expected: "statistics that can continue",
    fix: "Give it save and load functions, or leave the checkpoint out.",
  });
}

function nothingCounted(rows: number): InputError {
  return new InputError({
    where: "model.over",
    got: `no counted tokens in ${rows} rows`,
    expected: "at least one",
    fix: "Check excludeFirst, excludeTokens and excludeSpecial against the data.",
  });
}
