/** Parts of a model that can be left out, and models without them. */
import { InputError, UnsupportedError } from "../core/index.js";
import { type Edit, edit, Model, resolveHooks } from "../model/index.js";

/** A part of a model that can be left out. */
export interface Part {
  readonly kind: "block" | "attention" | "mlp" | "head" | "neuron";
  readonly layer: number;
  /** Which head or neuron; absent for the other kinds. */
  readonly index?: number;
}

/** One number for each of some parts; a LOW value says that the part can go first. */
export interface Score {
  readonly name: string;
  readonly title: string;
  readonly parts: readonly Part[];
  readonly values: Float64Array;
  /** Ends of 95 % bootstrap intervals over sequences. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly note?: string;
}

/** Returns what a part is called, such as `blocks.3`, `blocks.3.attn`, `blocks.3.mlp`, `blocks.3.attn head 2`. */
export function partName({ kind, layer, index = 0 }: Part): string {
  const block = `blocks.${layer}`;
  return {
    block,
    attention: `${block}.attn`,
    mlp: `${block}.mlp`,
    head: `${block}.attn head ${index}`,
    neuron: `${block}.mlp neuron ${index}`,
  }[kind];
}

/** Attention and MLP of every block, in the order in which they run. */
export function sublayersOf({ config }: Pick<Model, "config">): readonly Part[] {
  const kinds = config.attnOnly ? (["attention"] as const) : (["attention", "mlp"] as const);
  return Array.from({ length: config.nLayers }, (_, layer) => kinds.map((kind) => ({ kind, layer }))).flat();
}

function sizeOf({ config }: Model, { kind }: Part): number {
  return { head: config.nHeads, neuron: config.dMlp, block: 1, attention: 1, mlp: 1 }[kind];
}

function isBelow(value: number, size: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < size;
}

function checkPart(model: Model, part: Part): void {
  const { config } = model;
  const { kind, layer, index } = part;
  const hasKind = !(config.attnOnly && (kind === "mlp" || kind === "neuron"));
  const needsIndex = kind === "head" || kind === "neuron";
  const isIndexed = needsIndex === (index !== undefined) && isBelow(index ?? 0, sizeOf(model, part));
  if (isBelow(layer, config.nLayers) && hasKind && isIndexed) return;
  throw new InputError({
    where: "withoutParts",
    got: JSON.stringify(part),
    expected: `a part of a model with ${config.nLayers} layers of ${config.nHeads} heads${config.attnOnly ? " and no MLP" : ` and ${config.dMlp} neurons`}`,
    fix: "Layers, heads and neurons count from 0; only heads and neurons have an index.",
  });
}

/**
 * Refuses models of which layers were left out: what compares every two of them needs all.
 *
 * @throws UnsupportedError
 */
export function checkWholeModel({ view, config }: Model, where: string): void {
  if (view.edits.length === 0 && view.layers.length === config.nLayers) return;
  throw new UnsupportedError({
    where,
    got:
      view.edits.length > 0
        ? `a model with edit.${view.edits[0]?.name ?? ""}`
        : `${view.layers.length} of ${config.nLayers} layers`,
    expected: "a model as it was loaded, with all its layers",
    fix: "Call it on the model that the edits or the missing parts were applied to.",
  });
}

/** Layers whose attention, and layers whose MLP, are left out. */
function goneSublayers(parts: readonly Part[]): { readonly attention: Set<number>; readonly mlp: Set<number> } {
  const layersOf = (kind: Part["kind"]): readonly number[] =>
    parts.filter((part) => part.kind === kind || part.kind === "block").map(({ layer }) => layer);
  return { attention: new Set(layersOf("attention")), mlp: new Set(layersOf("mlp")) };
}

/** One edit for all heads or neurons of a layer that are left out. */
function innerEdits(parts: readonly Part[], kind: "head" | "neuron", gone: ReadonlySet<number>): readonly Edit[] {
  const own = parts.filter((part) => part.kind === kind && !gone.has(part.layer));
  return [...new Set(own.map(({ layer }) => layer))].map((layer) => {
    const indices = [...new Set(own.filter((part) => part.layer === layer).map(({ index = 0 }) => index))];
    return kind === "head"
      ? edit.zero(`blocks.${layer}.attn.hook_z`, { head: indices })
      : edit.zero(`blocks.${layer}.mlp.hook_post`, { neuron: indices });
  });
}

/** Layers that are left out whole; one stays, with nothing in it, where all would go or where the view has edits. */
function goneBlocks({ view }: Model, gone: ReturnType<typeof goneSublayers>): ReadonlySet<number> {
  const { attnOnly } = view.core.config;
  const both = view.layers.filter((layer) => gone.attention.has(layer) && (attnOnly || gone.mlp.has(layer)));
  if (view.edits.length > 0) return new Set();
  return new Set(both.length === view.layers.length ? both.slice(1) : both);
}

const insideAttention = /^(?:attn\.|ln1(?:_post)?\.|hook_attn_|hook_[qkv]_input)/;
const insideMlp = /^(?:mlp\.|ln2(?:_post)?\.|hook_mlp_)/;

/** Whether a hook point lies in a sublayer that is left out: an edit there changes nothing any more. */
function isInside(hook: string, gone: ReturnType<typeof goneSublayers>, isParallel: boolean): boolean {
  const [, layer = "", name = ""] = /^blocks\.(\d+)\.(.*)$/.exec(hook) ?? [];
  if (layer === "") return false;
  const [attention, mlp] = [gone.attention.has(Number(layer)), gone.mlp.has(Number(layer))];
  // Sublayers that run side by side may read one norm.
  if (isParallel && name.startsWith("ln1.")) return attention && mlp;
  return (attention && insideAttention.test(name)) || (mlp && insideMlp.test(name));
}

/** The edits of a view where they still act. */
function remainingEdits(
  { view, config, hookNames }: EditedModel,
  gone: ReturnType<typeof goneSublayers>,
): readonly Edit[] {
  return view.edits.flatMap((one) => {
    // Masks of weights have no hook point.
    if (one.change.kind === "keepWeights") return [one];
    const hooks = resolveHooks(one.hook, hookNames, `edit.${one.name}`);
    const left = hooks.filter((hook) => !isInside(hook, gone, config.parallelAttnMlp));
    if (left.length === hooks.length) return [one];
    return left.length === 0 ? [] : [{ ...one, hook: left }];
  });
}

interface EditedModel extends Pick<Model, "view" | "config"> {
  readonly hookNames: readonly string[];
}

/**
 * Returns a model without parts: what a sublayer writes is exactly zero, and a block that is left out whole is not run.
 *
 * Edits of the model inside a sublayer that is left out are dropped.
 *
 * @throws InputError for a part that the model does not have.
 */
export function withoutParts(model: Model, parts: readonly Part[]): Model {
  for (const part of parts) checkPart(model, part);
  if (parts.length === 0) return model;
  const gone = goneSublayers(parts);
  const blocks = goneBlocks(model, gone);
  const { view } = model;
  const hookNames = view.edits.length === 0 ? [] : model.hookNames();
  const edits = remainingEdits({ view, config: model.config, hookNames }, gone);
  const left = new Model({ ...view, edits, layers: view.layers.filter((layer) => !blocks.has(layer)) });
  const zero = (layers: ReadonlySet<number>, name: string): readonly Edit[] =>
    [...layers].filter((layer) => !blocks.has(layer)).map((layer) => edit.zero(`blocks.${layer}.${name}`));
  return left.with(
    ...zero(gone.attention, "hook_attn_out"),
    ...(view.core.config.attnOnly ? [] : zero(gone.mlp, "hook_mlp_out")),
    ...innerEdits(parts, "head", gone.attention),
    ...innerEdits(parts, "neuron", gone.mlp),
  );
}
