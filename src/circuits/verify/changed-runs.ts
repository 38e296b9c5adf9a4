/** Runs of a graph's prompt in which nodes were changed, one intervention on each row. */
import { InputError, type LongCallOptions, throwIfAborted } from "../../core/index.js";
import type { Dictionary, DictionarySet } from "../../dictionary/index.js";
import { type Edit, edit, type Model, type Run } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import type { AttributionGraph } from "../attribution/graph.js";
import { type GraphNode, nodeId } from "../attribution/nodes.js";

/**
 * What goes on as it was while nodes change.
 *
 * - `"direct"`: everything but the path from a node straight to the others: patterns, norm scales, features, errors. The
 *   change is then the edge.
 * - `"attention"`: patterns only; features answer to each other, as in circuit-tracer's interventions.
 * - `"nothing"`: the model as it is, errors included.
 */
export type Held = "attention" | "direct" | "nothing";

/** Nodes that are changed together. */
export interface Intervention {
  /** Features, errors and tokens. */
  readonly nodes: readonly GraphNode[];
  /** Times which their writes are taken; default 0: they are taken away. */
  readonly factor?: number;
}

/** Where and how interventions run. */
export interface InterventionOptions extends LongCallOptions {
  /** Default `"nothing"`. */
  readonly held?: Held;
  /** Interventions in one run. Default 16. */
  readonly batch?: number;
  /** Default `"float32"`. */
  readonly precision?: "float32" | "float64";
}

/** The model with its dictionaries, and the prompt's own run. */
export class ChangedRuns {
  readonly #graph: AttributionGraph;
  readonly #set: DictionarySet;
  readonly #model: Model;
  readonly #rows: number;
  readonly #held: Held;
  /** `rows` equal rows of the prompt, nothing changed. */
  readonly clean: Run;

  private constructor(parts: {
    readonly graph: AttributionGraph;
    readonly set: DictionarySet;
    readonly model: Model;
    readonly rows: number;
    readonly held: Held;
    readonly clean: Run;
  }) {
    this.#graph = parts.graph;
    this.#set = parts.set;
    this.#model = parts.model;
    this.#rows = parts.rows;
    this.#held = parts.held;
    this.clean = parts.clean;
  }

  /**
   * Runs the prompt as it is.
   *
   * @throws InputError when the graph is of another model or other dictionaries.
   */
  static async open(
    model: Model,
    graph: AttributionGraph,
    set: DictionarySet,
    { held = "nothing", batch = 16, precision = "float32" }: InterventionOptions,
  ): Promise<ChangedRuns> {
    const spliced = model.withPrecision(precision).with(...set.splice({ errorTerm: true }));
    const capture = [...frozenHooks(spliced, set), ...set.dictionaries.map(({ hooks }) => hooks.actsPre)];
    const clean = await run(spliced, graph, batch, capture);
    checkSameGraph(graph, set, clean);
    return new ChangedRuns({ graph, set, model: spliced, rows: batch, held, clean });
  }

  /** Runs at most `batch` interventions; row i is the i-th. Captures pre-activations of every dictionary. */
  async run(interventions: readonly Intervention[]): Promise<Run> {
    const changes = changesOf(interventions);
    for (const { node } of changes) checkNode(this.#graph, node);
    const base = this.#holds();
    const edits = [...this.#featureEdits(changes), ...this.#errorEdits(changes), ...this.#tokenEdits(changes)];
    const capture = this.#set.dictionaries.map(({ hooks }) => hooks.actsPre);
    return run(this.#model.with(...base, ...edits), this.#graph, this.#rows, capture);
  }

  #holds(): readonly Edit[] {
    const hooks = frozenHooks(this.#model, this.#set);
    const isPattern = (hook: string): boolean => hook.endsWith(".hook_pattern");
    if (this.#held === "nothing") return [];
    const kept = this.#held === "attention" ? hooks.filter(isPattern) : hooks;
    return [edit.patch(kept, this.clean.cache)];
  }

  #featureEdits(changes: readonly Change[]): readonly Edit[] {
    return this.#set.dictionaries.flatMap((dictionary, i) => {
      const layer = this.#set.layers[i];
      const own = changes.filter(({ node }) => node.kind === "feature" && node.layer === layer);
      return own.length === 0 ? [] : [this.#setFeatures(dictionary, own)];
    });
  }

  /** Sets features to their clean activation times the factor, and leaves the others alone. */
  #setFeatures({ hooks, nFeatures }: Dictionary, changes: readonly Change[]): Edit {
    const positions = this.#graph.prompt.length;
    return edit.callback(hooks.actsPost, (acts) => {
      const numbers = Float64Array.from(acts.data as ArrayLike<number>);
      for (const { row, node, factor } of changes)
        if (node.kind === "feature")
          numbers[(row * positions + node.pos) * nFeatures + node.feature] = factor * node.activation;
      return Tensor.of(acts.dtype === "float64" ? numbers : Float32Array.from(numbers), acts.shape, acts.axes);
    });
  }

  #errorEdits(changes: readonly Change[]): readonly Edit[] {
    const first = this.#graph.provenance.firstPosition;
    return changes.flatMap(({ row, node, factor }) => {
      if (node.kind !== "error") return [];
      const found = this.#set.dictionaries[this.#set.layers.indexOf(node.layer)];
      const hook = found === undefined || node.pos < first ? `blocks.${node.layer}.hook_mlp_out` : found.hooks.error;
      return [edit.scale(hook, factor, { row, pos: node.pos })];
    });
  }

  #tokenEdits(changes: readonly Change[]): readonly Edit[] {
    return changes.flatMap(({ row, node, factor }) =>
      node.kind === "token" ? [edit.scale("hook_embed", factor, { row, pos: node.pos })] : [],
    );
  }
}

interface Change {
  readonly row: number;
  readonly node: GraphNode;
  readonly factor: number;
}

function changesOf(interventions: readonly Intervention[]): readonly Change[] {
  return interventions.flatMap(({ nodes, factor = 0 }, row) => nodes.map((node) => ({ row, node, factor })));
}

/** Hook points whose values a direct effect leaves as they were. */
function frozenHooks(model: Model, set: DictionarySet): readonly string[] {
  const names = model.hookNames();
  // The norm in front of an MLP counts only where a dictionary reads behind it: other MLPs are held as a whole.
  const normed = set.dictionaries.filter(({ readHook }) => !/hook_(mlp_in|resid_mid)$/.test(readHook));
  const isNormed = new Set(normed.map(({ readHook }) => `${readHook.split(".", 2).join(".")}.ln2.hook_scale`));
  const isScale = (name: string): boolean => /\.ln1(_post)?\.hook_scale$/.test(name) || isNormed.has(name);
  const kept = names.filter(
    (name) => name.endsWith(".attn.hook_pattern") || isScale(name) || name === "ln_final.hook_scale",
  );
  const hasDictionary = new Set(set.dictionaries.map(({ writeHook }) => writeHook));
  const whole = names.filter((name) => name.endsWith(".hook_mlp_out") && !hasDictionary.has(name));
  return [...kept, ...whole, ...set.dictionaries.flatMap(({ hooks }) => [hooks.actsPost, hooks.error])];
}

function run(model: Model, graph: AttributionGraph, rows: number, capture: readonly string[]): Promise<Run> {
  const tokens = Array.from({ length: rows }, () => graph.provenance.tokens);
  return model.run(tokens, { capture, prependBos: false });
}

/** Runs interventions in batches; calls back with each one's run and its row there. */
export async function eachIntervention(
  runs: ChangedRuns,
  interventions: readonly Intervention[],
  { batch = 16, signal, onProgress }: InterventionOptions,
  visit: (run: Run, row: number, index: number) => void,
): Promise<void> {
  for (let from = 0; from < interventions.length; from += batch) {
    throwIfAborted(signal, "interventions on a graph");
    onProgress?.({ done: from, total: interventions.length, label: "interventions" });
    const part = interventions.slice(from, from + batch);
    const changed = await runs.run(part);
    for (const row of part.keys()) visit(changed, row, from + row);
  }
  onProgress?.({ done: interventions.length, total: interventions.length, label: "interventions" });
}

/** Refuses a graph of another model or of other dictionaries. */
export function checkSameGraph(
  { provenance }: AttributionGraph,
  set: DictionarySet | undefined,
  { receipt }: Run,
): void {
  const isModel = provenance.identity === receipt.identity;
  if (isModel && provenance.dictionaries === (set?.name ?? "none")) return;
  throw new InputError({
    where: "interventions on a graph",
    got: isModel ? `dictionaries ${set?.name ?? "none"}` : `model ${receipt.model} (${receipt.identity})`,
    expected: isModel
      ? `${provenance.dictionaries}, which the graph was made with`
      : `${provenance.model} (${provenance.identity}), which the graph was made with`,
    fix: "Pass what was traced, or trace again.",
  });
}

function checkNode(graph: AttributionGraph, node: GraphNode): void {
  const isChangeable = node.kind === "feature" || node.kind === "error" || node.kind === "token";
  const id = nodeId(node);
  if (isChangeable && graph.nodes.some((own) => nodeId(own) === id)) return;
  throw new InputError({
    where: "interventions on a graph",
    got: isChangeable ? `${id}, which the graph does not have` : id,
    expected: "features, errors and tokens of the graph",
    fix: "Take nodes from graph.nodes.",
  });
}
