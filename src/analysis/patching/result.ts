/** What a sweep found: the metric of every patch, raw and as a share of the way from corrupted to clean. */
import { InputError, NumericError, printsItself } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import { heatmap, panels, type View } from "../../viz/index.js";
import type { PatchAxis, PatchSite } from "./sites.js";

/** Which way a sweep patches: clean activations into corrupted runs, or the reverse. */
export type PatchDirection = "denoising" | "noising";

/** What a result was made from: enough to make it again. */
export interface PatchProvenance {
  /** The model as it was named when loaded, and the identity of its weights. */
  readonly model: string;
  readonly identity: string;
  readonly edits: readonly string[];
  readonly metric: string;
  readonly unit: string;
  readonly prompts: number;
  /** Patched runs that were computed. */
  readonly patches: number;
}

/** The unpatched metrics of each prompt. */
export interface PatchBaselines {
  readonly clean: Float64Array;
  readonly corrupted: Float64Array;
  readonly direction: PatchDirection;
}

/** What {@link SiteEffect} is made from. */
export interface SiteEffectParts {
  readonly site: PatchSite;
  readonly axes: readonly string[];
  readonly labels: Readonly<Record<string, readonly string[]>>;
  readonly perPrompt: Tensor;
  readonly baselines: PatchBaselines;
  /** What the view calls it; default `Patching z` and the like. */
  readonly title?: string;
}

/** The effect of patching one kind of site. */
export class SiteEffect {
  static {
    printsItself(this.prototype);
  }

  readonly site: PatchSite;
  /** `layer`, then the axes that patches differ in. */
  readonly axes: readonly string[];
  /** One label for each index of an axis. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** The metric of each patched run, `[prompt, ...axes]`, NaN where a prompt has no such position. */
  readonly perPrompt: Tensor;
  /** The metric after each patch, mean over the prompts that have the position: `[...axes]`. */
  readonly raw: Tensor;
  readonly #baselines: PatchBaselines;
  readonly #title: string;

  /** @internal */
  constructor({ site, axes, labels, perPrompt, baselines, title = `Patching ${site}` }: SiteEffectParts) {
    this.#title = title;
    this.site = site;
    this.axes = axes;
    this.labels = labels;
    this.perPrompt = perPrompt;
    this.raw = overPrompts(perPrompt, (own) => mean(own.map(([value]) => value)));
    this.#baselines = baselines;
  }

  /** What the columns are: the last axis. */
  get axis(): string {
    return this.axes.at(-1) ?? "layer";
  }

  /**
   * `(raw − corrupted) / (clean − corrupted)`, `[...axes]`: 0 is the corrupted run, 1 the clean run. All three are means
   * over the prompts that have the position.
   *
   * @throws NumericError when clean and corrupted prompts have the same metric.
   */
  get effect(): Tensor {
    const { clean, corrupted } = this.#baselines;
    const whole = mean(clean) - mean(corrupted);
    if (whole === 0 || !Number.isFinite(whole)) throw noSpan(this.#baselines);
    return overPrompts(this.perPrompt, (own) => {
      const span = mean(own.map(([, p]) => (clean[p] ?? 0) - (corrupted[p] ?? 0)));
      return mean(own.map(([value, p]) => value - (corrupted[p] ?? 0))) / span;
    });
  }

  /** Patched minus unpatched metric, mean over the prompts that have the position, in the metric's unit: `[...axes]`. */
  get change(): Tensor {
    const { clean, corrupted, direction } = this.#baselines;
    const base = direction === "denoising" ? corrupted : clean;
    return overPrompts(this.perPrompt, (own) => mean(own.map(([value, p]) => value - (base[p] ?? 0))));
  }

  /** Returns one heatmap, or several for more than three axes, centred at the unpatched run. */
  toView(): View {
    return siteView(this, this.#baselines, this.#title);
  }

  /** Returns the strongest patches as text. */
  toString(): string {
    const change = Array.from(this.change.data as Iterable<number>, Number);
    const reach = change.map(Math.abs);
    const order = reach.map((_, i) => i).sort((a, b) => (reach[b] ?? 0) - (reach[a] ?? 0));
    const shown = order.slice(0, 5).map((i) => `${this.#name(i)} ${signed(change[i] ?? 0)}`);
    return `${this.site} by ${this.axes.join(", ")}: ${shown.join("; ")}`;
  }

  #name(flat: number): string {
    let rest = flat;
    const names: string[] = [];
    for (const axis of [...this.axes].reverse()) {
      const labels = this.labels[axis] ?? [];
      names.unshift(`${axis} ${labels[rest % labels.length] ?? ""}`);
      rest = Math.floor(rest / labels.length);
    }
    return names.join(" ");
  }
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toPrecision(3)}`;
}

function noSpan({ clean, corrupted }: PatchBaselines): NumericError {
  return new NumericError({
    where: "patching: effect",
    got: `a metric of ${mean(clean)} on clean and ${mean(corrupted)} on corrupted prompts`,
    expected: "two different numbers to normalise between",
    fix: "Read raw or change, or choose prompts on which the metric differs.",
  });
}

/** The mean of a list. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  return sum / values.length;
}

/** One number for each patch, from its metrics on the prompts that have its position: `[metric, prompt]`. */
function overPrompts(perPrompt: Tensor, fold: (own: readonly (readonly [number, number])[]) => number): Tensor {
  const [prompts = 1, ...rest] = perPrompt.shape;
  const size = rest.reduce((a, b) => a * b, 1);
  const { data } = perPrompt;
  const out = Float64Array.from({ length: size }, (_, i) => {
    const all = Array.from({ length: prompts }, (_p, p) => [Number(data[p * size + i]), p] as const);
    return fold(all.filter(([value]) => !Number.isNaN(value)));
  });
  return Tensor.of(out, rest, perPrompt.axes.slice(1));
}

/** The values that are drawn: shares of the way, or plain changes where there is no way. */
function drawn(effect: SiteEffect, { clean, corrupted, direction }: PatchBaselines): { values: Tensor; unit: string } {
  if (mean(clean) === mean(corrupted)) return { values: effect.change, unit: "change" };
  const share = effect.effect;
  return direction === "denoising"
    ? { values: share, unit: "share restored" }
    : { values: share.sub(1), unit: "share lost" };
}

function siteView(effect: SiteEffect, baselines: PatchBaselines, name: string): View {
  const { values, unit } = drawn(effect, baselines);
  const { axes, labels } = effect;
  const columns = axes.at(-1) ?? "layer";
  const width = labels[columns]?.length ?? 1;
  const rowAxes = axes.slice(0, -1);
  const rowLabels = rowAxes.reduce<readonly string[]>(
    (names, axis) => names.flatMap((name) => (labels[axis] ?? []).map((label) => `${name}${axisMark(axis)}${label}`)),
    [""],
  );
  const rows = rowLabels.map((_, y) => Array.from(values.data.slice(y * width, (y + 1) * width), Number));
  const isTall = rows.length > 96;
  const kept = isTall ? strongest(rows, 96) : rows.map((_, y) => y);
  return heatmap(
    kept.map((y) => rows[y] ?? []),
    {
      title: `${name}${isTall ? `: the ${kept.length} strongest of ${rows.length} rows` : ""}`,
      unit,
      scale: "diverging",
      x: {
        name: columns,
        labels: labels[columns] ?? [],
        kind: columns === "pos" || columns === "keyPos" ? "tokens" : "names",
      },
      y: { name: rowAxes.join(", ") || "all", labels: kept.map((y) => rowLabels[y] ?? "") },
    },
  );
}

function axisMark(axis: string): string {
  return axis === "layer" ? "L" : axis === "head" ? "H" : axis === "pos" ? " @" : " ";
}

function strongest(rows: readonly (readonly number[])[], count: number): readonly number[] {
  const reach = rows.map((row) => Math.max(...row.map(Math.abs)));
  const order = rows.map((_, y) => y).sort((a, b) => (reach[b] ?? 0) - (reach[a] ?? 0));
  return order.slice(0, count).sort((a, b) => a - b);
}

/** How far each patch brings the clean behaviour back, or takes it away. */
export class SweepResult {
  static {
    printsItself(this.prototype);
  }

  readonly sites: readonly SiteEffect[];
  readonly direction: PatchDirection;
  /** The metric of the unpatched runs, mean over prompts. */
  readonly cleanMetric: number;
  readonly corruptedMetric: number;
  /** The metric of the unpatched runs of each prompt, `[prompt]`. */
  readonly cleanPerPrompt: Float64Array;
  readonly corruptedPerPrompt: Float64Array;
  readonly provenance: PatchProvenance;

  /** @internal */
  constructor(fields: Readonly<Omit<SweepResult, "get" | "toView" | "toString">>) {
    this.sites = fields.sites;
    this.direction = fields.direction;
    this.cleanMetric = fields.cleanMetric;
    this.corruptedMetric = fields.corruptedMetric;
    this.cleanPerPrompt = fields.cleanPerPrompt;
    this.corruptedPerPrompt = fields.corruptedPerPrompt;
    this.provenance = fields.provenance;
  }

  /**
   * Returns the effect of one kind of site.
   *
   * @throws InputError when the sweep did not patch it.
   */
  get(site: PatchSite): SiteEffect {
    const found = this.sites.find((one) => one.site === site);
    if (found !== undefined) return found;
    throw new InputError({
      where: "sweep.get",
      got: `"${site}"`,
      expected: `one of ${this.sites.map((one) => one.site).join(", ")}`,
      fix: "Add it to sites and sweep again.",
    });
  }

  /** Returns one heatmap for each site, centred at the unpatched run. */
  toView(): View {
    const { metric, prompts } = this.provenance;
    return panels(
      this.sites.map((site) => site.toView()),
      {
        title: `Activation patching (${this.direction}), ${metric}`,
        note: `clean ${this.cleanMetric.toPrecision(4)}, corrupted ${this.corruptedMetric.toPrecision(4)} ${this.provenance.unit}; mean over ${prompts} prompts`,
      },
    );
  }

  /** A few lines: what ran, and the strongest patches of each site. */
  toString(): string {
    const { metric, unit, prompts, patches, model } = this.provenance;
    return [
      `Activation patching (${this.direction}) of "${model}": ${patches} patched runs over ${prompts} prompts`,
      `  ${metric}: clean ${this.cleanMetric.toPrecision(4)}, corrupted ${this.corruptedMetric.toPrecision(4)} ${unit}`,
      ...this.sites.map((site) => `  ${site.toString()}`),
    ].join("\n");
  }
}

/** Every combination of indices of some axes, the last axis fastest. */
export function combinations(
  sizes: readonly (readonly [PatchAxis, readonly number[]])[],
): readonly Readonly<Partial<Record<PatchAxis, number>>>[] {
  return sizes.reduce<readonly Readonly<Partial<Record<PatchAxis, number>>>[]>(
    (all, [axis, indices]) => all.flatMap((one) => indices.map((index) => ({ ...one, [axis]: index }))),
    [{}],
  );
}
