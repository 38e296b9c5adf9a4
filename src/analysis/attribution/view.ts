/** An attribution as a picture. */
import { bars, heatmap, panels, type View } from "../../viz/index.js";
import type { AttributedEntry, AttributionResult } from "./result.js";

/** How an attribution is drawn. */
export interface AttributionViewOptions {
  /** `"heads"` is layers against heads; default for attributions by head, and `"bars"` for the others. */
  readonly as?: "bars" | "heads" | "waterfall";
  /** Entries in bars and waterfalls; the others are one bar. Default 20. */
  readonly top?: number;
  /** Which prompt; the mean over prompts when absent. */
  readonly prompt?: number | undefined;
}

/** The entries drawn, the small ones summed to one. */
function shown(entries: readonly AttributedEntry[], top: number): readonly { label: string; value: number }[] {
  const bySize = [...entries].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const large = new Set(bySize.slice(0, top).map(({ label }) => label));
  const rest = bySize.slice(top);
  const kept = entries.filter(({ label }) => large.has(label));
  if (rest.length === 0) return kept;
  return [...kept, { label: `${rest.length} others`, value: rest.reduce((sum, { value }) => sum + value, 0) }];
}

function titleOf(result: AttributionResult, what: string): string {
  return `${result.of} by ${what}`;
}

function noteOf(result: AttributionResult, prompt: number | undefined): string {
  const count = result.prompts.length;
  const whose = count === 1 || prompt !== undefined ? "" : `mean of ${count} prompts; `;
  const cap = result.isBeforeSoftCap ? " before the soft cap" : "";
  return `${whose}sums to the model's${cap} within ${result.error.toExponential(0)}`;
}

function barView(
  result: AttributionResult,
  entries: readonly AttributedEntry[],
  options: AttributionViewOptions,
): View {
  const list = shown(entries, options.top ?? 20);
  const isWaterfall = options.as === "waterfall";
  return bars(
    list.map(({ value }) => value),
    {
      title: titleOf(result, result.by),
      note: noteOf(result, options.prompt),
      axis: { labels: list.map(({ label }) => label) },
      unit: "logits",
      ...(isWaterfall ? { running: "total" } : { order: "size" as const }),
    },
  );
}

/** Layers against heads, and everything that is no head beside it. */
function headView(
  result: AttributionResult,
  entries: readonly AttributedEntry[],
  options: AttributionViewOptions,
): View {
  const heads = entries.filter(({ kind }) => kind === "head");
  const others = entries.filter(({ kind }) => kind !== "head");
  const layers = [...new Set(heads.map(({ layer = 0 }) => layer))];
  const grid = layers.map((layer) => heads.filter((entry) => entry.layer === layer).map(({ value }) => value));
  const map = heatmap(grid, {
    title: titleOf(result, "head"),
    note: noteOf(result, options.prompt),
    y: { name: "layer", labels: layers.map(String) },
    x: { name: "head" },
    unit: "logits",
  });
  const beside = shown(others, options.top ?? 20);
  if (beside.length === 0) return map;
  return panels([
    map,
    bars(
      beside.map(({ value }) => value),
      { title: "what is no head", axis: { labels: beside.map(({ label }) => label) }, unit: "logits" },
    ),
  ]);
}

/** Draws an attribution. */
export function attributionView(result: AttributionResult, options: AttributionViewOptions): View {
  const entries = result.list(options.prompt);
  const as = options.as ?? (result.by === "head" ? "heads" : "bars");
  return as === "heads" && result.by === "head"
    ? headView(result, entries, options)
    : barView(result, entries, { ...options, as });
}
