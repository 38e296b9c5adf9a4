/** A text of your own: what fires on it. */
import { InputError, printsItself } from "../../core/index.js";
import type { InputOptions, Model } from "../../model/index.js";
import { panels, table, tokens, type View } from "../../viz/index.js";
import type { Dictionary } from "../dictionary.js";

/** A feature where it fires most on a text. */
export interface StrongestFeature {
  readonly feature: number;
  readonly value: number;
  readonly position: number;
}

/** What fires on a text. */
export class FeatureTest {
  static {
    printsItself(this.prototype);
  }

  /** Token texts. */
  readonly tokens: readonly string[];
  /** Features that were asked about. */
  readonly features: readonly number[];
  /** The features that fire most, each where it does, the strongest first. */
  readonly strongest: readonly StrongestFeature[];
  readonly #acts: Float32Array;
  readonly #nFeatures: number;

  /** @internal */
  constructor(given: {
    readonly tokens: readonly string[];
    readonly features: readonly number[];
    readonly acts: Float32Array;
    readonly nFeatures: number;
  }) {
    this.tokens = given.tokens;
    this.features = given.features;
    this.#acts = given.acts;
    this.#nFeatures = given.nFeatures;
    this.strongest = strongestOf(given.acts, given.nFeatures);
  }

  /**
   * Returns the activation of any feature at each token.
   *
   * @throws InputError for a feature outside the dictionary.
   */
  activations(feature: number): Float32Array {
    if (Number.isInteger(feature) && feature >= 0 && feature < this.#nFeatures)
      return Float32Array.from(this.tokens, (_, pos) => this.#acts[pos * this.#nFeatures + feature] ?? 0);
    throw new InputError({
      where: "test.activations",
      got: String(feature),
      expected: `a whole number from 0 to ${this.#nFeatures - 1}`,
      fix: "See strongest for the features that fire.",
    });
  }

  /** Returns the text coloured by each feature asked about, and a table of those that fire most. */
  toView(): View {
    const shown = this.features.length > 0 ? this.features : this.strongest.slice(0, 4).map(({ feature }) => feature);
    const channels = Object.fromEntries(shown.map((feature) => [`feature ${feature}`, this.activations(feature)]));
    const rows = this.strongest
      .slice(0, 12)
      .map(({ feature, value, position }) => [feature, value, this.tokens[position] ?? ""]);
    const strongest = table(
      [
        { name: "feature", kind: "number" },
        { name: "activation", kind: "number" },
        { name: "at", kind: "token" },
      ],
      rows,
      { title: "Strongest features" },
    );
    if (shown.length === 0) return strongest;
    const text = tokens(this.tokens, channels, { title: "Activations on your text", scale: "sequential" });
    return rows.length > 0 ? panels([text, strongest]) : text;
  }

  /** Returns a line for each feature asked about and for the strongest. */
  toString(): string {
    const line = (feature: number, value: number, position: number): string =>
      `  ${feature}: ${value.toPrecision(3)} at ${JSON.stringify(this.tokens[position] ?? "")}`;
    const asked = this.features.map((feature) => {
      const acts = this.activations(feature);
      const most = acts.reduce((best, one, i) => (one > (acts[best] ?? 0) ? i : best), 0);
      return (acts[most] ?? 0) > 0 ? line(feature, acts[most] ?? 0, most) : `  ${feature}: silent`;
    });
    const strongest = this.strongest.slice(0, 5).map(({ feature, value, position }) => line(feature, value, position));
    return [`${this.tokens.length} tokens`, ...asked, "strongest", ...strongest].join("\n");
  }
}

function strongestOf(acts: Float32Array, nFeatures: number): readonly StrongestFeature[] {
  const best = new Map<number, StrongestFeature>();
  acts.forEach((value, at) => {
    const feature = at % nFeatures;
    if (value > (best.get(feature)?.value ?? 0))
      best.set(feature, { feature, value, position: Math.floor(at / nFeatures) });
  });
  return [...best.values()].sort((a, b) => b.value - a.value || a.feature - b.feature);
}

/**
 * Runs a text and tells what fires on it.
 *
 * `features` are shown on the text; by default the strongest.
 *
 * @throws InputError for a feature outside the dictionary.
 */
export async function testFeatures(
  model: Model,
  dictionary: Dictionary,
  text: string,
  { features = [], ...options }: { readonly features?: readonly number[] } & Pick<InputOptions, "prependBos"> = {},
): Promise<FeatureTest> {
  const prependBos = options.prependBos ?? dictionary.config.prependBos;
  const bos = prependBos === undefined ? {} : { prependBos };
  const { actsPost } = dictionary.hooks;
  const run = await model.with(dictionary.splice()).run(text, { ...bos, capture: [actsPost], logits: "none" });
  const acts = Float32Array.from(run.cache.get(actsPost).contiguous().data as Float32Array);
  const test = new FeatureTest({
    tokens: model.toStrTokens(text, bos),
    features,
    acts,
    nFeatures: dictionary.nFeatures,
  });
  for (const feature of features) test.activations(feature);
  return test;
}
