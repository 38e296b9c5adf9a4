/** TransformerLens's activation names: `getActName("q", 5)` is `blocks.5.attn.hook_q`. */
import { InputError, nearestNames } from "../../core/index.js";
import { blockPoints, outerPoints } from "./axes.js";

/** Other words for the same points, as TransformerLens takes them. */
const aliases: Readonly<Record<string, string>> = {
  attn: "pattern",
  attn_logits: "attn_scores",
  key: "k",
  query: "q",
  value: "v",
  mlp_pre: "pre",
  mlp_mid: "mid",
  mlp_post: "post",
};

/** Which norm of a block a `scale` or `normalized` belongs to. */
export type LayerType = "ln1" | "ln2" | "ln1_post" | "ln2_post" | "q_norm" | "k_norm";

const normPoints = ["scale", "normalized"];
const layerTypes: Readonly<Record<string, string>> = {
  a: "ln1",
  m: "ln2",
  ln1: "ln1",
  ln2: "ln2",
  ln1_post: "ln1_post",
  ln2_post: "ln2_post",
  q_norm: "attn.q_norm",
  k_norm: "attn.k_norm",
  attn: "attn",
  mlp: "mlp",
  blocks: "",
};

/** Every short name, for error messages. */
export function shortNames(): readonly string[] {
  return [...Object.keys(blockPoints), ...Object.keys(outerPoints), ...normPoints];
}

function unknown(name: string): InputError {
  const near = nearestNames(name, shortNames());
  return new InputError({
    where: `getActName("${name}")`,
    got: "an unknown short name",
    expected: `a short name; nearest: ${near.join(", ")}`,
    fix: "List full names with model.hookNames().",
  });
}

function normName(point: string, layer: number | undefined, layerType: string | undefined): string {
  if (layer === undefined) return `ln_final.hook_${point}`;
  const place = layerTypes[layerType ?? "ln1"];
  if (place === undefined) throw unknown(`${point}, ${layerType ?? ""}`);
  return `blocks.${layer}.${place}.hook_${point}`;
}

/** Splits `"k6"`, `"scale4ln1"`, `"pre5"` into name, layer and layer type. */
function parseCompact(text: string): { name: string; layer: number; layerType?: string } | undefined {
  const match = /^([a-z_]+?)(\d+)([a-z]+[12]?(?:_post)?)?$/.exec(text);
  if (match === null) return undefined;
  const [, name = "", layer = "", layerType] = match;
  return { name, layer: Number(layer), ...(layerType === undefined ? {} : { layerType }) };
}

function lookUp(short: string, layer: number | undefined, layerType: string | undefined): string | undefined {
  const name = aliases[short] ?? short;
  if (normPoints.includes(name)) return normName(name, layer, layerType);
  if (name in outerPoints && layer === undefined) return outerPoints[name as keyof typeof outerPoints].name;
  if (!(name in blockPoints) || layer === undefined) return undefined;
  return `blocks.${layer}.${blockPoints[name as keyof typeof blockPoints].place}hook_${name}`;
}

/**
 * Returns the full hook name of a short one; full names pass through.
 *
 * @param name - `"q"`, `"k6"`, `"scale4ln1"`, `"resid_post"`, or a full name.
 * @param layer - The layer, for points inside a block.
 * @param layerType - `"ln1"` (default) or `"ln2"` for `scale` and `normalized`.
 * @throws InputError for an unknown short name; the message lists the nearest.
 * @see TransformerLens `utils.get_act_name`
 */
export function getActName(name: string, layer?: number, layerType?: string): string {
  if (name.includes(".") || name.startsWith("hook_")) return name;
  const direct = lookUp(name, layer, layerType);
  if (direct !== undefined) return direct;
  const compact = parseCompact(name);
  const found = compact && lookUp(compact.name, compact.layer, compact.layerType ?? layerType);
  if (found === undefined) throw unknown(name);
  return found;
}
