/** Generated task sets with known answers: aligned clean and corrupted prompts. */
import { type AgreementOptions, type AgreementRole, agreement } from "./tasks/agreement.js";
import { type BracketsOptions, type BracketsRole, brackets } from "./tasks/brackets.js";
import { type CapitalsOptions, type CapitalsRole, capitals } from "./tasks/capitals.js";
import { type CopyingOptions, type CopyingRole, copying } from "./tasks/copying.js";
import { type GreaterThanOptions, type GreaterThanRole, greaterThan } from "./tasks/greater-than.js";
import { type IoiOptions, type IoiRole, ioi } from "./tasks/ioi.js";
import { type TaskLists, taskLists, taskWords } from "./tasks/lists.js";
import type { TaskPairs } from "./tasks/pairs.js";
import { type RepeatedOptions, type RepeatedRole, repeated } from "./tasks/repeated.js";
import type { TaskSource, TaskTokenizer, VocabularySource } from "./tasks/types.js";
import { wordTokenizer } from "./tasks/word-tokenizer.js";

export type { AgreementOptions, AgreementRole, GrammaticalNumber } from "./tasks/agreement.js";
export type { BracketKind, BracketsOptions, BracketsRole } from "./tasks/brackets.js";
export type { CapitalsOptions, CapitalsRole } from "./tasks/capitals.js";
export type { CopyingOptions, CopyingRole } from "./tasks/copying.js";
export type { GreaterThanOptions, GreaterThanRole } from "./tasks/greater-than.js";
export type { IoiCorruption, IoiOptions, IoiOrder, IoiRole } from "./tasks/ioi.js";
export type { TaskLists } from "./tasks/lists.js";
export type { TaskPairs } from "./tasks/pairs.js";
export type { RepeatedOptions, RepeatedRole } from "./tasks/repeated.js";
export type { TaskCounts, TaskReport } from "./tasks/report.js";
export type { TaskScore } from "./tasks/score.js";
export type {
  PromptPairs,
  SkippedItem,
  SkippedPair,
  TaskAnswer,
  TaskLabels,
  TaskOptions,
  TaskPair,
  TaskPrompt,
  TaskSource,
  TaskTokenizer,
  TemplateOptions,
  VocabularySource,
} from "./tasks/types.js";
export type { CapitalFact, NounForms } from "./tasks/words.js";

/**
 * The task generators.
 *
 * Each returns pairs whose prompts align token by token under the model's own tokenizer and whose answers are single
 * tokens. Words that the tokenizer does not keep whole are listed in the result's `report`; when fewer than `n` pairs
 * remain, the error says which words are missing and why.
 */
export interface Tasks {
  /**
   * Returns random tokens that come twice, as ids; a vocabulary is enough.
   *
   * @throws InputError when the vocabulary is too small.
   * @see Olsson et al. 2022, "In-context Learning and Induction Heads"
   */
  repeated(source: VocabularySource, options?: RepeatedOptions): TaskPairs<RepeatedRole, readonly number[]>;
  /**
   * Returns indirect-object-identification prompts: "When Mary and John went to the store, John gave a ring to" → " Mary".
   *
   * @throws TokenError when too few names are single tokens.
   * @see Wang et al. 2022, "Interpretability in the Wild"
   */
  ioi(model: TaskSource, options?: IoiOptions): TaskPairs<IoiRole>;
  /**
   * Returns spans of years: "The war lasted from the year 1732 to the year 17" → "33" to "99"; from "01" when corrupted.
   *
   * @throws TokenError when the tokenizer does not cut years in two.
   * @see Hanna et al. 2023, "How does GPT-2 compute greater-than?"
   */
  greaterThan(model: TaskSource, options?: GreaterThanOptions): TaskPairs<GreaterThanRole>;
  /**
   * Returns capital-of facts: "The capital of France is" → " Paris"; another country when corrupted.
   *
   * @throws TokenError when too few countries and capitals are single tokens.
   * @see Meng et al. 2022, "Locating and Editing Factual Associations in GPT"
   */
  capitals(model: TaskSource, options?: CapitalsOptions): TaskPairs<CapitalsRole>;
  /**
   * Returns subjects that wait for their verb: "The boy near the cars" → " is"; the subject in the other number when
   * corrupted.
   *
   * @throws TokenError when too few nouns are single tokens in both numbers.
   * @see Finlayson et al. 2021, "Causal Analysis of Syntactic Agreement Mechanisms in Neural Language Models"
   */
  agreement(model: TaskSource, options?: AgreementOptions): TaskPairs<AgreementRole>;
  /**
   * Returns lists of words that come twice: "Words: dog, sun, ice. Again: dog," → " sun"; another word in the first list
   * when corrupted.
   *
   * @throws TokenError when too few words are single tokens.
   */
  copying(model: TaskSource, options?: CopyingOptions): TaskPairs<CopyingRole>;
  /**
   * Returns open brackets: "a(b[c]d" → ")"; another kind of the open one when corrupted.
   *
   * @throws TokenError when fewer than two kinds of brackets are single tokens.
   */
  brackets(model: TaskSource, options?: BracketsOptions): TaskPairs<BracketsRole>;
  /** Returns a tokenizer that keeps every word whole: for writing task texts before there is a model. */
  wordTokenizer(): TaskTokenizer;
  /**
   * Returns every word, space in front included, and every pair of digits that a tokenizer must keep whole to leave
   * nothing out of any task: for training one.
   */
  words(): readonly string[];
  /** The words and templates that tasks are written with. */
  readonly lists: TaskLists;
}

/** Generated task sets with known answers. */
export const tasks: Tasks = {
  repeated,
  ioi,
  greaterThan,
  capitals,
  agreement,
  copying,
  brackets,
  wordTokenizer,
  words: taskWords,
  lists: taskLists,
};
