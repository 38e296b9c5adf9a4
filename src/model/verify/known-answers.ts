/** Public numbers of well-known models, small enough to keep beside the code. */
import type { ModelConfig } from "../config.js";

/** A recorded prediction. */
export interface RecordedTop {
  /** Token ids of the prompt. */
  readonly tokens: readonly number[];
  /** The likeliest next tokens with their logits, best first. */
  readonly top: readonly (readonly [id: number, logit: number])[];
  /** How far a logit may be off. */
  readonly tolerance: number;
  readonly source: string;
}

/** The rank of a token after a prompt. */
export interface RecordedRank {
  readonly prompt: string;
  readonly token: string;
  readonly rank: number;
  readonly tolerance: number;
}

/** Mean probability difference of the greater-than task. */
export interface RecordedGreaterThan {
  readonly difference: number;
  readonly tolerance: number;
}

/** What is known of one model. */
export interface KnownAnswers {
  /** Last part of the model's name. */
  readonly name: string;
  readonly sizes: Partial<ModelConfig>;
  readonly top: RecordedTop;
  readonly ranks: readonly RecordedRank[];
  readonly greaterThan: RecordedGreaterThan;
}

/** GPT-2 small. */
const gpt2: KnownAnswers = {
  name: "gpt2",
  sizes: { architecture: "gpt2", nLayers: 12, nHeads: 12, dModel: 768, dVocab: 50257, nCtx: 1024 },
  top: {
    // "Data visualization empowers users to"
    tokens: [6601, 32704, 795, 30132, 2985, 284],
    top: [
      [38350, -135.9132],
      [2251, -136.6836],
      [766, -137.1203],
      [787, -137.6474],
      [3538, -137.6665],
      [2952, -137.7238],
      [7301, -137.7835],
      [1064, -138.0481],
      [1833, -138.2928],
      [1382, -138.4104],
    ],
    tolerance: 0.02,
    source: "recorded outputs of GPT-2 small, poloclub/transformer-explainer, MIT",
  },
  // An independent replication; its use of BOS is not stated, so the nearer of both counts.
  ranks: [
    { prompt: "The capital of France is", token: " Paris", rank: 92, tolerance: 5 },
    { prompt: "The capital of France is the city of", token: " Paris", rank: 0, tolerance: 0 },
  ],
  // Dunefsky et al. 2024; the exact list of prompts is not published, hence the tolerance.
  greaterThan: { difference: 0.8829, tolerance: 0.02 },
};

const known: readonly KnownAnswers[] = [gpt2];

/** Finds the answers of a model by its name and its sizes; both must fit, since others share the shape. */
export function findKnownAnswers(id: string, config: ModelConfig): KnownAnswers | undefined {
  const name = id.split(/[\\/]/).findLast((part) => part !== "");
  const fits = (sizes: Partial<ModelConfig>): boolean =>
    Object.entries(sizes).every(([key, value]) => config[key as keyof ModelConfig] === value);
  return known.find((answers) => answers.name === name && fits(answers.sizes));
}
