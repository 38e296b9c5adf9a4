/**
 * What features of transcoders say to each other by weights alone: connections, de-embeddings, and the heads between.
 *
 * Dunefsky et al. 2024, "Transcoders Find Interpretable LLM Feature Circuits", sections 3 and 4. All numbers are for one
 * unit of activation, before patterns and the scales of norms; gains and centring are counted.
 */
import { InputError, printsItself } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model } from "../../model/index.js";
import { table, type View } from "../../viz/index.js";
import { type LinearModel, linearModel } from "../attribution/linear-model.js";
import { tokenText } from "../attribution/logits.js";
import { dot, numbersOf, rowDot } from "../attribution/vectors.js";
import { attentionBelow, type FeatureAddress, type HeadAddress, LoadedSet, throughHead } from "./directions.js";

/** What lies between two features: the stream itself, or a head's output-value circuit. */
export type Through = "direct" | HeadAddress;

/** Options of `featureConnections`. */
export interface FeatureConnectionOptions {
  /** Layers of the earlier features. Default every layer of the set that the feature can read. */
  readonly from?: readonly number[];
  /** Default `"direct"`. */
  readonly through?: Through;
}

/** Options of `deEmbedding`. */
export interface DeEmbeddingOptions {
  /** Default `"direct"`. */
  readonly through?: Through;
}

/** An earlier feature, and how strongly one unit of it drives the later one. */
export interface FeatureConnection extends FeatureAddress {
  readonly weight: number;
}

/** A token, and how strongly its embedding drives a feature. */
export interface TokenWeight {
  readonly token: number;
  readonly text: string;
  readonly weight: number;
}

/** A head, and how much of what a feature reads comes through it. */
export interface HeadReach extends HeadAddress {
  /** `‖W_V W_O w‖`, `w` being the direction that the feature reads. */
  readonly norm: number;
}

function nameOf({ layer, feature }: FeatureAddress): string {
  return `L${layer} #${feature}`;
}

function throughText(through: Through): string {
  return through === "direct" ? "directly" : `through L${through.layer}H${through.head}`;
}

function signed(weight: number): string {
  return `${weight < 0 ? "-" : "+"}${Math.abs(weight).toFixed(4)}`;
}

function strongest<T extends { readonly weight: number }>(all: readonly T[], count: number): readonly T[] {
  return [...all].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, count);
}

/** Earlier features as a later one reads them, by weights alone or on average over a data set. Immutable. */
export class FeatureConnections {
  static {
    printsItself(this.prototype);
  }

  readonly to: FeatureAddress;
  readonly through: Through;
  /** `W_dec · w` for each feature of each layer, or its mean times activations; layers rising. */
  readonly weights: ReadonlyMap<number, Float64Array>;
  /** What the numbers are: `"by weights alone"`, or the tokens that they are a mean of. */
  readonly basis: string;

  /** @internal */
  constructor(parts: Pick<FeatureConnections, "basis" | "through" | "to" | "weights">) {
    this.to = parts.to;
    this.through = parts.through;
    this.weights = parts.weights;
    this.basis = parts.basis;
  }

  /** Returns the connections of the largest size, of both signs. */
  top(count = 10): readonly FeatureConnection[] {
    const all = [...this.weights].flatMap(([layer, weights]) =>
      Array.from(weights, (weight, feature) => ({ layer, feature, weight })),
    );
    return strongest(all, count);
  }

  /** Returns a table of the strongest connections. */
  toView(): View {
    return table(
      [
        { name: "feature", kind: "text" },
        { name: "weight", kind: "number" },
      ],
      this.top(20).map((one) => [nameOf(one), one.weight]),
      { title: `What drives ${nameOf(this.to)} ${throughText(this.through)}`, note: this.basis },
    );
  }

  /** Returns the strongest connections as text. */
  toString(): string {
    const lines = this.top(8).map((one) => `  ${signed(one.weight)} ${nameOf(one)}`);
    const title = `FeatureConnections into ${nameOf(this.to)} ${throughText(this.through)}, ${this.basis}:`;
    return [title, ...lines].join("\n");
  }
}

/** What each token's embedding adds to a feature, by weights alone. Immutable. */
export class DeEmbedding {
  static {
    printsItself(this.prototype);
  }

  readonly feature: FeatureAddress;
  readonly through: Through;
  /** `W_E w`, `[dVocab]`. */
  readonly weights: Float64Array;
  readonly #text: (token: number) => string;

  /** @internal */
  constructor(parts: {
    readonly feature: FeatureAddress;
    readonly through: Through;
    readonly weights: Float64Array;
    readonly text: (token: number) => string;
  }) {
    this.feature = parts.feature;
    this.through = parts.through;
    this.weights = parts.weights;
    this.#text = parts.text;
  }

  /** Returns the tokens that drive the feature most; with `"lowest"` those that hold it down most. */
  top(count = 10, end: "highest" | "lowest" = "highest"): readonly TokenWeight[] {
    const sign = end === "highest" ? -1 : 1;
    const order = [...this.weights.keys()].sort((a, b) => sign * ((this.weights[a] ?? 0) - (this.weights[b] ?? 0)));
    return order.slice(0, count).map((token) => ({ token, text: this.#text(token), weight: this.weights[token] ?? 0 }));
  }

  /** Returns a table of the tokens at both ends. */
  toView(): View {
    const [high, low] = [this.top(12), this.top(12, "lowest")];
    return table(
      [
        { name: "excited by", kind: "token" },
        { name: "weight", kind: "number" },
        { name: "held down by", kind: "token" },
        { name: "weight ", kind: "number" },
      ],
      high.map(({ text, weight }, i) => [text, weight, low[i]?.text ?? "", low[i]?.weight ?? 0]),
      { title: `Tokens that drive ${nameOf(this.feature)} ${throughText(this.through)}`, note: "by weights alone" },
    );
  }

  /** Returns the tokens at both ends as text. */
  toString(): string {
    const words = (list: readonly TokenWeight[]): string => list.map(({ text }) => JSON.stringify(text)).join(" ");
    return [
      `DeEmbedding of ${nameOf(this.feature)} ${throughText(this.through)}`,
      `  excited by    ${words(this.top(8))}`,
      `  held down by  ${words(this.top(8, "lowest"))}`,
    ].join("\n");
  }
}

/** Refuses heads that the feature cannot read from. */
function checkThrough(linear: LinearModel, layer: number, through: Through, where: string): void {
  if (through === "direct") return;
  const below = attentionBelow(linear, layer);
  const isHead = Number.isInteger(through.head) && through.head >= 0 && through.head < linear.nHeads;
  if (isHead && Number.isInteger(through.layer) && through.layer >= 0 && through.layer < below) return;
  throw new InputError({
    where: `${where}: through`,
    got: `head ${through.head} of layer ${through.layer}`,
    expected: `one of ${linear.nHeads} heads of a layer below ${below}, whose writes layer ${layer} reads`,
    fix: "See readingHeads for the heads that matter most.",
  });
}

/** Layers whose features lie below; refuses those asked for that do not. */
function layersBelow(set: DictionarySet, limit: number, from: readonly number[] | undefined): readonly number[] {
  const known = set.layers.filter((layer) => layer < limit);
  const wrong = from?.find((layer) => !known.includes(layer));
  if (wrong === undefined) return from ?? known;
  throw new InputError({
    where: "featureConnections: from",
    got: `layer ${wrong}`,
    expected: known.length === 0 ? `no layer: none has features below layer ${limit}` : `of ${known.join(", ")}`,
    fix: "Leave it out for all layers below.",
  });
}

interface Drive {
  readonly to: FeatureAddress;
  readonly through: Through;
  readonly where: string;
}

/** The direction of the stream that drives a feature, behind a head if asked. */
async function drive(linear: LinearModel, loaded: LoadedSet, { to, through, where }: Drive): Promise<Float64Array> {
  const direction = await loaded.reads(linear, to, where);
  checkThrough(linear, to.layer, through, where);
  return through === "direct" ? direction : throughHead(linear, through, direction);
}

/**
 * Returns how strongly each earlier feature drives a feature by weights alone: `W_dec · W_enc[:, feature]`, or through a
 * head's output-value circuit.
 *
 * Multiply by the earlier activation, the pattern and one over the norms' scales for what happens in a prompt: that is
 * the edge of `attributionGraph` where nothing else lies between.
 *
 * @throws InputError for a feature, layer or head that is not there, or not below.
 */
export async function featureConnections(
  model: Model,
  set: DictionarySet,
  to: FeatureAddress,
  { from, through = "direct" }: FeatureConnectionOptions = {},
): Promise<FeatureConnections> {
  const linear = await linearModel(model);
  const loaded = new LoadedSet(set);
  const direction = await drive(linear, loaded, { to, through, where: "featureConnections" });
  const weights = new Map<number, Float64Array>();
  for (const layer of layersBelow(set, through === "direct" ? to.layer : through.layer, from)) {
    const { W_dec, dictionary } = await loaded.layer(layer);
    const rows = numbersOf(W_dec);
    weights.set(
      layer,
      Float64Array.from({ length: dictionary.nFeatures }, (_, i) => rowDot(rows, i, direction)),
    );
  }
  const own = { layer: to.layer, feature: to.feature };
  return new FeatureConnections({ to: own, through, weights, basis: "by weights alone" });
}

/**
 * Returns how strongly each token's embedding drives a feature by weights alone: `W_E W_enc[:, feature]`, or through a head.
 *
 * Embeddings keep their lengths, as in the paper; `featureReadouts` divides each by the scale that its norm would have.
 *
 * @throws InputError for a feature or head that is not there, or not below.
 */
export async function deEmbedding(
  model: Model,
  set: DictionarySet,
  feature: FeatureAddress,
  { through = "direct" }: DeEmbeddingOptions = {},
): Promise<DeEmbedding> {
  const linear = await linearModel(model);
  const direction = await drive(linear, new LoadedSet(set), { to: feature, through, where: "deEmbedding" });
  const embeddings = numbersOf(await model.weights.W_E());
  return new DeEmbedding({
    feature: { layer: feature.layer, feature: feature.feature },
    through,
    weights: Float64Array.from({ length: model.config.dVocab }, (_, token) => rowDot(embeddings, token, direction)),
    text: (token) => tokenText(model, token),
  });
}

/**
 * Returns every head below a feature, those first that could bring it most: by `‖W_V W_O w‖`.
 *
 * @throws InputError for a feature that is not there.
 */
export async function readingHeads(
  model: Model,
  set: DictionarySet,
  feature: FeatureAddress,
): Promise<readonly HeadReach[]> {
  const linear = await linearModel(model);
  const direction = await new LoadedSet(set).reads(linear, feature, "readingHeads");
  const heads: HeadReach[] = [];
  for (let layer = 0; layer < attentionBelow(linear, feature.layer); layer++) {
    for (let head = 0; head < linear.nHeads; head++) {
      const read = throughHead(linear, { layer, head }, direction);
      heads.push({ layer, head, norm: Math.sqrt(dot(read, read)) });
    }
  }
  return heads.sort((a, b) => b.norm - a.norm);
}
