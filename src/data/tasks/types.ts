/** What tasks are made of and what they hand out. */

/** One prompt: text, or token ids where text would not encode back to them. */
export type TaskPrompt = string | readonly number[];

/**
 * Aligned prompts that differ in one fact, and the answers that tell them apart.
 *
 * @typeParam P - What a prompt is: text, or token ids for tasks over random tokens.
 */
export interface PromptPairs<P extends TaskPrompt = string> {
  /** Prompts whose answer is `answers[i]`. */
  readonly clean: readonly P[];
  /** The same prompts with the fact changed; token by token aligned with `clean`. */
  readonly corrupted: readonly P[];
  /** The single-token answer of each clean prompt. */
  readonly answers: readonly string[];
  /** A single-token answer that is wrong for the clean prompt: what the corrupted one calls for, where it does. */
  readonly wrongAnswers: readonly string[];
  /** Ids of every right answer of each clean prompt; the first is that of `answers[i]`. */
  readonly answerTokens?: readonly (readonly number[])[];
  /** Ids of every wrong answer of each clean prompt; the first is that of `wrongAnswers[i]`. */
  readonly wrongAnswerTokens?: readonly (readonly number[])[];
}

/** What a task needs of a tokenizer; a model's own has it. */
export interface TaskTokenizer {
  /** Encodes a text; `prependBos` follows the tokenizer's own habit when absent. */
  encode(text: string, options?: { readonly prependBos?: boolean }): { readonly ids: readonly number[] };
  /** Returns one string per token, leading spaces visible; joined they spell the text. */
  pieces(ids: ArrayLike<number>): readonly string[];
  /** Tells whether an id is a control token. */
  isSpecial?(id: number): boolean;
  /** Number of ids. */
  readonly vocabSize?: number;
  readonly bosId?: number | undefined;
  /** Whether it puts BOS in front of every text by itself. */
  readonly prependsBos?: boolean;
}

/** A tokenizer, or a model that has one. */
export type TaskSource = TaskTokenizer | { readonly tokenizer: TaskTokenizer };

/** A model with or without a tokenizer, a tokenizer, or a number of tokens. */
export type VocabularySource = TaskSource | { readonly config: { readonly dVocab: number } } | number;

/** What a pair is an instance of, by the label's name: its template, its names, its variant. */
export type TaskLabels = Readonly<Record<string, string>>;

/** Options of every task generator. */
export interface TaskOptions {
  /** How many pairs to make; default 64. */
  readonly n?: number;
  /** Equal seeds make equal pairs; default 0. */
  readonly seed?: number;
  /**
   * `true` puts BOS in front, `false` never; by default the tokenizer's own habit, as in `model.run`. Token ids and
   * positions count it: run the prompts under the same option.
   */
  readonly prependBos?: boolean;
  /** Keeps the pairs whose labels pass: a held-out split by any combination of labels. */
  readonly filter?: (labels: TaskLabels) => boolean;
}

/** Options of tasks that are written from templates. */
export interface TemplateOptions extends TaskOptions {
  /** Templates to use: numbers in `tasks.lists`, or texts, also your own, with the same fields in braces. */
  readonly templates?: readonly (string | number)[];
}

/** An answer that is one token after its prompt. */
export interface TaskAnswer {
  /** Its text, leading space included. */
  readonly text: string;
  readonly token: number;
}

/** One clean prompt, its corrupted twin, and the answers. */
export interface TaskPair<P extends TaskPrompt = TaskPrompt> {
  readonly clean: P;
  readonly corrupted: P;
  /** Ids as the model reads them, BOS included where there is one. */
  readonly cleanTokens: readonly number[];
  /** As many ids as `cleanTokens`. */
  readonly corruptedTokens: readonly number[];
  /** Every right answer of the clean prompt; the first is the one that the sentence ends with. */
  readonly right: readonly TaskAnswer[];
  /** Every wrong answer of the clean prompt; the first is `wrongAnswers[i]` of the columns. */
  readonly wrong: readonly TaskAnswer[];
  /** Positions of interest by role, counted from 0 with BOS; `end` is the last token. */
  readonly positions: Readonly<Record<string, number>>;
  /** Positions at which the two prompts differ. */
  readonly changed: readonly number[];
  readonly labels: TaskLabels;
  /** The whole clean sentence with its right answer. */
  readonly text: string;
}

/** A word, number or fact that this tokenizer does not keep whole. */
export interface SkippedItem {
  /** What it would have been: `"name"`, `"year"`. */
  readonly kind: string;
  readonly item: string;
  readonly reason: string;
}

/** A pair that was made and thrown away, because its prompts do not align. */
export interface SkippedPair {
  readonly clean: string;
  readonly corrupted: string;
  readonly reason: string;
}
