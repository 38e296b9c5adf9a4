/**
 * From the names that other programs give to places in a model to full names of hook points.
 *
 * TransformerLens's own names pass; Hugging Face modules (`model.layers.3.mlp`, their `.input` and `.output`),
 * dictionary_learning's `resid_post_layer_3`, circuit-tracer's `mlp.hook_in` with a layer, OpenAI's locations.
 */

/** Modules of one layer, by name without the layer; what each puts out. */
const moduleOutputs: readonly (readonly [RegExp, string])[] = [
  [/^$/, "hook_resid_post"],
  [/^(?:mlp|feed_forward|post_feedforward_layernorm)$/, "hook_mlp_out"],
  [/^(?:self_attn|attn|attention|self_attention)$/, "hook_attn_out"],
  [/^(?:pre_feedforward_layernorm|ln_2)$/, "mlp.hook_in"],
  [/^(?:mlp\.(?:act_fn|act))$/, "mlp.hook_post"],
];

/** What goes into each. */
const moduleInputs: readonly (readonly [RegExp, string])[] = [
  [/^(?:|input_layernorm|ln_1)$/, "hook_resid_pre"],
  [/^(?:mlp|feed_forward)$/, "mlp.hook_in"],
  [/^(?:pre_feedforward_layernorm|ln_2)$/, "hook_resid_mid"],
  [/^(?:self_attn\.o_proj|attn\.c_proj|attention\.dense)$/, "attn.hook_z"],
  [/^(?:mlp\.(?:down_proj|c_proj|dense_4h_to_h))$/, "mlp.hook_post"],
];

/** circuit-tracer and TransformerLens names inside a block that are called otherwise here. */
const blockAliases: Readonly<Record<string, string>> = { "mlp.hook_out": "hook_mlp_out" };

/** Short places of other programs. */
const places: Readonly<Record<string, string>> = {
  resid_pre: "hook_resid_pre",
  resid_mid: "hook_resid_mid",
  resid_post: "hook_resid_post",
  resid_post_attn: "hook_resid_mid",
  resid_post_mlp: "hook_resid_post",
  resid_delta_attn: "hook_attn_out",
  resid_delta_mlp: "hook_mlp_out",
  attn_out: "hook_attn_out",
  attention_out: "hook_attn_out",
  mlp_out: "hook_mlp_out",
  mlp_post_act: "mlp.hook_post",
};

function inBlock(layer: number | string, name: string): string {
  return `blocks.${layer}.${blockAliases[name] ?? name}`;
}

/** Returns the hook point of a name inside the block of a layer, such as circuit-tracer's `mlp.hook_in`. */
export function hookInBlock(layer: number, name: string): string {
  return /^blocks\.\d+\./.test(name) ? name : inBlock(layer, places[name] ?? name);
}

function moduleHook(layer: string, path: string): string | undefined {
  const isInput = /(?:^|\.)input$/.test(path);
  const module = path.replace(/(?:^|\.)(?:input|output)$/, "");
  const found = (isInput ? moduleInputs : moduleOutputs).find(([pattern]) => pattern.test(module));
  return found === undefined ? undefined : inBlock(layer, found[1]);
}

/** dictionary_learning's `resid_post_layer_3`. */
function shortPlace(name: string): string | undefined {
  const [, short = "", layer = ""] = /^(\w+?)_layer_?(\d+)$/.exec(name) ?? [];
  const place = places[short];
  return place === undefined ? undefined : inBlock(layer, place);
}

/**
 * Returns the full name of a hook point, or `undefined` for a name that says nothing certain.
 *
 * `post_attention_layernorm` is such a name: in Llama it is the norm before the MLP, in Gemma the one after attention.
 */
export function hookNamed(name: string): string | undefined {
  const [, ownLayer, own] = /^blocks\.(\d+)\.((?:hook_|attn\.|mlp\.|ln\d\.).*)$/.exec(name) ?? [];
  if (ownLayer !== undefined && own !== undefined) return inBlock(ownLayer, own);
  if (/^(?:hook_\w+|ln_final\.hook_\w+)$/.test(name)) return name;
  if (/(?:^|\.)(?:embed_tokens|wte|embed_in)(?:\.output)?$/.test(name)) return "hook_embed";
  const [, layer, module = ""] = /^(?:[\w.]*\.)?(?:layers|h|blocks)\.(\d+)(?:\.(.*))?$/.exec(name) ?? [];
  return layer === undefined ? shortPlace(name) : moduleHook(layer, module);
}

/** Returns the hook point that a path speaks of: OpenAI's `resid_post_mlp_v5_32k/autoencoders/6.pt` and the like. */
export function hookInPath(path: string): string | undefined {
  const place = /(resid_post_attn|resid_post_mlp|resid_delta_attn|resid_delta_mlp|mlp_post_act)/.exec(path)?.[1];
  const layer = /layer_?(\d+)/.exec(path)?.[1] ?? /autoencoders\/(\d+)\.pt$/.exec(path)?.[1];
  return place === undefined || layer === undefined ? undefined : inBlock(layer, places[place] ?? place);
}
