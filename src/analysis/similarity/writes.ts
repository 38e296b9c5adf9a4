/**
 * How much each sublayer writes, and in which direction.
 *
 * @see Csordás et al. 2025, "Do Language Models Use Their Depth Efficiently?"
 */
import { printsItself, UnsupportedError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { lines, panels, type View } from "../../viz/index.js";
import type { Prompts } from "../prompts.js";
import { type Collected, collect, type TokenOptions } from "./collect.js";
import type { Features } from "./features.js";

/** Means over tokens of one write to the stream. */
export interface WriteStatistics {
  readonly layer: number;
  /** `attention`, `mlp`, or both together as `layer`. */
  readonly write: "attention" | "mlp" | "layer";
  /** Norm of what is written. */
  readonly norm: number;
  /** Norm of what is written over that of the stream it is added to, token by token; the denominator is at least 1e-6. */
  readonly relative: number;
  /** Cosine between the write and the stream it is added to: below 0 it erases, near 0 it adds something new. */
  readonly cosine: number;
  /** Tokens whose write or stream has a norm below 1e-8; they count as cosine 0. */
  readonly degenerate: number;
}

/** What each sublayer writes. */
export class StreamWrites {
  static {
    printsItself(this.prototype);
  }

  /** By layer: attention, MLP, both. */
  readonly writes: readonly WriteStatistics[];
  readonly tokens: number;
  readonly model: string;

  /** @internal */
  constructor(writes: readonly WriteStatistics[], tokens: number, model: string) {
    this.writes = writes;
    this.tokens = tokens;
    this.model = model;
  }

  #curves(of: "relative" | "cosine"): Record<string, readonly number[]> {
    const kinds = [...new Set(this.writes.map(({ write }) => write))];
    return Object.fromEntries(
      kinds.map((kind) => [kind, this.writes.filter(({ write }) => write === kind).map((one) => one[of])]),
    );
  }

  /** Returns relative norms and cosines by layer. */
  toView(): View {
    const x = { name: "layer" };
    return panels(
      [
        lines(this.#curves("relative"), { title: "size of the write", x, y: { name: "norm / norm of the stream" } }),
        lines(this.#curves("cosine"), { title: "direction of the write", x, y: { name: "cosine with the stream" } }),
      ],
      { title: `What the sublayers of ${this.model} write`, note: `mean over ${this.tokens} tokens` },
    );
  }

  /** One line for each write. */
  toString(): string {
    const rows = this.writes.map(
      ({ layer, write, norm, relative, cosine }) =>
        `${String(layer).padStart(5)} ${write.padEnd(9)} ${norm.toFixed(3).padStart(9)} ${relative.toFixed(3).padStart(9)} ${cosine.toFixed(3).padStart(7)}`,
    );
    return [`layer write          norm  relative  cosine (${this.model}, ${this.tokens} tokens)`, ...rows].join("\n");
  }
}

interface Step {
  readonly layer: number;
  readonly write: WriteStatistics["write"];
  /** The stream before, and what is added to it. */
  readonly stream: Features;
  readonly added: Features;
}

function measured({ layer, write, stream, added }: Step): WriteStatistics {
  const { rows, width } = stream;
  const sums = { norm: 0, relative: 0, cosine: 0, degenerate: 0 };
  for (let row = 0; row < rows; row++) {
    let [cross, own, before] = [0, 0, 0];
    for (let i = row * width; i < (row + 1) * width; i++) {
      const [a, h] = [added.data[i] ?? 0, stream.data[i] ?? 0];
      cross += a * h;
      own += a * a;
      before += h * h;
    }
    const [norm, base] = [Math.sqrt(own), Math.sqrt(before)];
    const isDegenerate = Math.min(norm, base) < 1e-8;
    sums.norm += norm / rows;
    sums.relative += norm / Math.max(base, 1e-6) / rows;
    sums.cosine += isDegenerate ? 0 : Math.min(1, Math.max(-1, cross / (norm * base))) / rows;
    sums.degenerate += isDegenerate ? 1 : 0;
  }
  return { layer, write, ...sums };
}

function sum(a: Features, b: Features): Features {
  return { ...a, data: a.data.map((value, i) => value + (b.data[i] ?? 0)) };
}

function stepsOf({ hooks, features }: Collected, layer: number, isParallel: boolean): readonly Step[] {
  const find = (site: string): Features | undefined => features[hooks.indexOf(`blocks.${layer}.hook_${site}`)];
  const [stream, attention, mlp] = [find("resid_pre"), find("attn_out"), find("mlp_out")];
  if (stream === undefined) return [];
  const middle = isParallel || attention === undefined ? stream : sum(stream, attention);
  const both = attention !== undefined && mlp !== undefined ? sum(attention, mlp) : undefined;
  return [
    ...(attention === undefined ? [] : [{ layer, write: "attention" as const, stream, added: attention }]),
    ...(mlp === undefined ? [] : [{ layer, write: "mlp" as const, stream: middle, added: mlp }]),
    ...(both === undefined ? [] : [{ layer, write: "layer" as const, stream, added: both }]),
  ];
}

/**
 * Returns size and direction of what attention, MLP and both together add to the residual stream, by layer.
 *
 * @throws UnsupportedError when the model has no residual stream of that kind; AbortedError.
 */
export async function streamWrites(model: Model, prompts: Prompts, options: TokenOptions = {}): Promise<StreamWrites> {
  const where = "similarity.writes";
  const names = new Set(model.hookNames());
  const sites = ["resid_pre", "attn_out", "mlp_out"].filter((site) => names.has(`blocks.0.hook_${site}`));
  if (!sites.includes("resid_pre") || sites.length === 1)
    throw new UnsupportedError({
      where,
      got: `the model "${model.id}"`,
      expected: "hook_resid_pre, and hook_attn_out or hook_mlp_out, in its blocks",
      fix: "See model.hookNames().",
    });
  const collected = await collect({ model, prompts, sites, where }, options);
  const layers = [...new Set(collected.layers)].sort((a, b) => a - b);
  const isParallel = !names.has("blocks.0.hook_resid_mid");
  const writes = layers.flatMap((layer) => stepsOf(collected, layer, isParallel).map(measured));
  return new StreamWrites(writes, collected.ids.length, model.id);
}
