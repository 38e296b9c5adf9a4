/** Path patching by hand: runs of the whole model with edits. */
import type { Between } from "../../../src/analysis/index.js";
import { type Edit, edit, type Metric, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { numbers } from "../analysis-patching/support.js";

type Pair = readonly [number[][], number[][]];

function hookOf(name: string, input?: string): { hook: string; head?: number } {
  const [, kind = "", layer = "", head, letter = input] =
    /^([am])(\d+)(?:\.(?:h|kv)(\d+))?(?:\.([qkv]))?$/.exec(name) ?? [];
  if (kind === "m") return { hook: `blocks.${layer}.hook_mlp_${input === undefined ? "out" : "in"}` };
  return { hook: `blocks.${layer}.attn.hook_${letter ?? "z"}`, ...(head === undefined ? {} : { head: Number(head) }) };
}

/** The metric of each prompt after patching the paths from one sender to the receivers. */
export async function bruteForce(
  model: Model,
  [from, into]: Pair,
  path: { readonly sender: string; readonly receivers: readonly string[]; readonly between: Required<Between> },
  metric: Metric,
): Promise<number[]> {
  const last = `blocks.${model.config.nLayers - 1}.hook_resid_post`;
  const all = ["**.hook_z", "**.hook_mlp_out", "**.hook_mlp_in", "**.hook_q", "**.hook_k", "**.hook_v", last];
  const capture = all.filter((glob) => !model.config.attnOnly || !glob.includes("mlp"));
  const clean = await model.run(from, { capture: [...capture, "hook_embed"], metric });
  const base = await model.run(into, { capture: [...capture, "hook_embed"], metric });
  const inner = path.receivers.filter((name) => name !== "logits");
  const sender = hookOf(path.sender);
  const frozen = base.cache.keys().filter((hook) => {
    if (hook === sender.hook && sender.head === undefined) return false;
    if (hook.endsWith("hook_z")) return path.between.attention === "frozen";
    return hook.endsWith("hook_mlp_out") && path.between.mlps === "frozen";
  });
  const send: Edit =
    path.sender === "embed"
      ? edit.patch("hook_embed", clean.cache)
      : edit.patch(sender.hook, clean.cache, sender.head === undefined ? {} : { head: sender.head });
  const first = await model
    .with(...frozen.filter((hook) => isAfter(hook, sender.hook)).map((hook) => edit.patch(hook, base.cache)), send)
    .run(into, { capture, metric });
  if (inner.length === 0) return numbers(first.metric);
  const given = inner.map((name) => {
    const { hook, head } = hookOf(name, name.startsWith("m") ? "in" : undefined);
    return edit.patch(hook, first.cache, head === undefined ? {} : { head });
  });
  const second = await model.with(...given).run(into, { capture: last, metric });
  if (inner.length === path.receivers.length) return numbers(second.metric);
  const stream = (second.cache.get(last) as Tensor).add(first.cache.get(last)).sub(base.cache.get(last));
  return numbers((await model.with(edit.replace(last, stream)).run(into, { metric })).metric);
}

function layer(hook: string): number {
  return Number(/blocks\.(\d+)/.exec(hook)?.[1] ?? -1);
}

/** Whether a hook point can feel a sender; upstream ones hold their own values anyway. */
function isAfter(hook: string, sender: string): boolean {
  return sender.startsWith("hook_") || layer(hook) >= layer(sender);
}
