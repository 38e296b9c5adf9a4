/** Everything that decides the result of a run over data except the data, as plain values that can be compared. */
import { createHash } from "node:crypto";
import { hashJson } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import { runLayers } from "../plan/resolve.js";
import type { ModelView } from "../view.js";
import type { OverOptions } from "./options.js";

/** Settings by name; values print as they are compared. */
export type Settings = Readonly<Record<string, unknown>>;

/** Returns the settings of a run; `own` are those of the statistic or the writer. */
export function settingsOf(view: ModelView, options: OverOptions, hooks: readonly string[], own: Settings): Settings {
  const { prependBos, padding, allowSpecial, excludeFirst, excludeTokens, excludeSpecial, maxTokens } = options;
  const { startAtLayer, stopAtLayer, loss = false } = options;
  return {
    identity: view.core.checkpoint.identity,
    precision: view.precision,
    processing: view.processing,
    edits: view.edits.map((edit) => `${edit.name} ${hashJson(plain(edit))}`),
    layers: runLayers(view, options),
    hooks,
    loss,
    ...defined({
      startAtLayer,
      stopAtLayer,
      prependBos,
      padding,
      allowSpecial,
      excludeFirst,
      excludeTokens,
      excludeSpecial,
      maxTokens,
    }),
    ...own,
  };
}

/** Returns the names of settings that differ, with both values. */
export function differences(saved: Settings, current: Settings): readonly string[] {
  const names = [...new Set([...Object.keys(saved), ...Object.keys(current)])];
  return names.flatMap((name) => {
    const [before, now] = [JSON.stringify(saved[name]), JSON.stringify(current[name])];
    return before === now ? [] : [`${name} was ${clipped(before)} and is ${clipped(now)}`];
  });
}

function clipped(text: string | undefined): string {
  if (text === undefined) return "absent";
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function defined(options: Settings): Settings {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Turns an edit into plain values: tensors by hash, functions by their text, sources by their entries. */
function plain(value: unknown): unknown {
  if (value instanceof Tensor) return tensorHash(value as Tensor);
  if (typeof value === "function" || value instanceof RegExp) return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if ("entries" in value && typeof value.entries === "function") {
    return Array.from((value.entries as () => Iterable<unknown>).call(value), plain);
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

function tensorHash(tensor: Tensor): unknown {
  const { data } = tensor.contiguous();
  const hash = createHash("sha256")
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest("hex");
  return { dtype: tensor.dtype, shape: tensor.shape, axes: tensor.axes, hash };
}
