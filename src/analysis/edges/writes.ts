/** What senders write to the stream, in the run as it is and after the change that edges are judged by. */
import { UnsupportedError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import type { Donor } from "../patching/patches.js";
import { siteHook } from "../patching/sites.js";
import { type PromptRun, type PromptValues } from "../patching/values.js";
import { type Receiver, type Sender, sendersOf } from "./nodes.js";

/** The hook point that holds a sender's write; heads of a layer share one. */
export function writeHook(sender: Sender): string {
  if (sender.kind === "head") return siteHook("result", sender.layer);
  return sender.kind === "mlp" ? siteHook("mlp_out", sender.layer) : `hook_${sender.kind}`;
}

/** The hook point that holds what a receiver reads; heads of a layer share one. */
export function readHook({ config }: Model, receiver: Receiver): string {
  if (receiver.kind === "head") return siteHook(`${receiver.input}_input`, receiver.layer);
  return receiver.kind === "mlp" ? siteHook("mlp_in", receiver.layer) : siteHook("resid_post", config.nLayers - 1);
}

/** Hook points of all senders. */
export function writeHooks(model: Model): readonly string[] {
  return [...new Set(sendersOf(model).map(writeHook))];
}

/**
 * Refuses models whose streams are not sums of what heads and MLPs write.
 *
 * @throws UnsupportedError
 */
export function checkAdditive({ config }: Model, where: string): void {
  if (!config.postNorms) return;
  throw new UnsupportedError({
    where,
    got: "a model with norms behind its sublayers, through which all heads of a layer pass together",
    expected: "heads and MLPs that write to the stream themselves",
    fix: "Use patching.sweep or edges.paths, which recompute those norms.",
  });
}

/** One head's slice of a hook point's values, or all of it. */
export interface Slice {
  readonly head: number;
  readonly heads: number;
}

/** The slice of a sender's write in its hook point. */
export function senderSlice({ config }: Model, sender: Sender): Slice {
  return sender.kind === "head" ? { head: sender.head, heads: config.nHeads } : { head: 0, heads: 1 };
}

/** The slice of a receiver's input in its hook point. */
export function receiverSlice({ config }: Model, receiver: Receiver): Slice {
  if (receiver.kind !== "head") return { head: 0, heads: 1 };
  return { head: receiver.head, heads: receiver.input === "q" ? config.nHeads : config.nKeyValueHeads };
}

/** Copies one prompt's `[pos, dModel]` out of `[prompt, pos, head, dModel]`. */
export function readSlice(values: PromptValues, prompt: number, { head, heads }: Slice, width: number): Float64Array {
  const pos = values.stride / (heads * width);
  const out = new Float64Array(pos * width);
  for (let p = 0; p < pos; p++) {
    const start = prompt * values.stride + (p * heads + head) * width;
    out.set(values.data.subarray(start, start + width), p * width);
  }
  return out;
}

/** By how much each sender's write changes in one prompt, `[pos, dModel]`, in the order of the senders. */
export function writeChanges(
  model: Model,
  senders: readonly Sender[],
  values: { readonly run: PromptRun; readonly donor: Donor; readonly prompt: number },
): readonly Float64Array[] {
  const { dModel } = model.config;
  return senders.map((sender) => {
    const slice = senderSlice(model, sender);
    const own = readSlice(values.run.values(writeHook(sender)), values.prompt, slice, dModel);
    const other = readSlice(values.donor(writeHook(sender)), values.prompt, slice, dModel);
    return other.map((value, i) => value - (own[i] ?? 0));
  });
}
