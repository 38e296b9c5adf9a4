/** What a report holds: plain data, as its JSON file has it. */
import type { Interval } from "../../stats/index.js";
import type { Estimate } from "../evaluate/index.js";

/** How much one part matters. */
export interface PartScore {
  /** What the part is called, such as `blocks.3.attn` or `blocks.3.attn head 2`. */
  readonly name: string;
  readonly kind: "block" | "head" | "sublayer";
  readonly layer: number;
  /** Loss without the part, nats a token. */
  readonly lossWithout: number;
  /** Rise of the loss as a share, with its interval. */
  readonly relative: Estimate;
  /** `KL(full ‖ without)`, nats a token. */
  readonly kl: number;
  /** Share of tokens whose likeliest next token stays. */
  readonly agreement: number;
}

/** One score beside what was measured. */
export interface ScoreSummary {
  readonly name: string;
  readonly title: string;
  /** What it ranks: sublayers of both kinds, attention alone, blocks, or heads. */
  readonly kind: "attention" | "block" | "head" | "sublayer";
  readonly parts: readonly string[];
  readonly values: readonly number[];
  readonly intervals: readonly Interval[];
  /** Rank correlation with the loss without each part. */
  readonly spearman: number;
  /** Parts that the score ranks much too low or too high: its rank and the measured one, from 1. */
  readonly misjudged: readonly { readonly part: string; readonly rank: number; readonly measured: number }[];
}

/** Removed parts against loss, for one method. */
export interface FrontierSummary {
  readonly name: string;
  readonly title: string;
  readonly kind: "block" | "sublayer";
  /** In the order in which they go. */
  readonly order: readonly string[];
  readonly points: readonly {
    readonly sublayers: number;
    readonly loss: number;
    readonly relative: Estimate;
    readonly kl: number;
    readonly agreement: number;
  }[];
  /** Accuracy at the tasks that the whole model knows; of one line only, the greedy one where there is one. */
  readonly tasks?: readonly TaskCurve[];
}

/** Accuracy at a task as parts go. */
export interface TaskCurve {
  readonly task: string;
  /** Of the whole model. */
  readonly before: number;
  /** At each point of the line. */
  readonly after: readonly number[];
}

/** What can go at a cost. */
export interface Cut {
  /** Largest rise of the loss that is allowed, as a share. */
  readonly limit: number;
  /** Empty when nothing can go. */
  readonly parts: readonly string[];
  /** The method that found it. */
  readonly method: string;
  /** On windows that no choice was made on. */
  readonly relative: Estimate;
  readonly kl: number;
  readonly agreement: number;
  /** Shares of the whole model that are saved. */
  readonly saved: { readonly parameters: number; readonly flops: number; readonly cache: number };
  /** How many times as fast, measured in turns with the whole model. */
  readonly speedup: number;
  /** Accuracy and points lost for each percent point of speed, by task. */
  readonly tasks: readonly TaskAccuracy[];
}

/** Accuracy at a task that the model knows. */
export interface TaskAccuracy {
  readonly task: string;
  readonly before: number;
  readonly after: number;
  readonly sdr: number;
}

/** A claim of a paper, and what this model says. */
export interface Claim {
  readonly claim: string;
  readonly paper: string;
  readonly holds: boolean;
  readonly evidence: string;
}

/** Loss when the lowest neurons of a layer go. */
export interface NeuronCuts {
  readonly layer: number;
  readonly shares: readonly number[];
  readonly relative: readonly number[];
}

/** What later layers lose when a layer is skipped, `[skipped][later]`; NaN where the later one is not later. */
export interface DepthSummary {
  readonly tokens: number;
  /** See `DepthEffects.depthScore`. */
  readonly score: number;
  readonly all: readonly (readonly number[])[];
  readonly future: readonly (readonly number[])[];
  readonly local: readonly (readonly number[])[];
  readonly output: { readonly all: readonly number[]; readonly future: readonly number[] };
}

/** Everything of a report. */
export interface ReportContent {
  readonly format: "limpid-redundancy-report";
  readonly version: 1;
  readonly model: {
    readonly id: string;
    readonly identity: string;
    readonly architecture: string;
    readonly layers: number;
    readonly heads: number;
    readonly parameters: number;
  };
  readonly provenance: {
    /** Remakes the report. */
    readonly command: string;
    readonly seed: number;
    readonly text: string;
    readonly tokens: number;
    readonly window: number;
    /** Windows to search on, to draw the frontier on, and to judge on. */
    readonly windows: { readonly search: number; readonly frontier: number; readonly held: number };
    /** Sections that the budget left out. */
    readonly leftOut: readonly string[];
    readonly seconds: number;
  };
  /** Loss of the whole model, nats a token. */
  readonly loss: number;
  readonly cuts: readonly Cut[];
  /** Sublayers and blocks in the order of the layers, then heads. */
  readonly parts: readonly PartScore[];
  readonly scores: readonly ScoreSummary[];
  readonly frontier: readonly FrontierSummary[];
  readonly neurons: readonly NeuronCuts[];
  /** Loss when the model is read out after its first 1, 2, … layers. */
  readonly depth: readonly { readonly layers: number; readonly loss: number; readonly kl: number }[];
  /** Absent for windows of fewer than 13 tokens, and for models with edits. */
  readonly depthEffects?: DepthSummary;
  /** Similarity of the streams behind each two layers (CKA). */
  readonly similarity: readonly (readonly number[])[];
  readonly claims: readonly Claim[];
}
